import type { DriverChoice } from "./driver.ts";
import type { SystemFacts } from "./system_facts.ts";

/** Why there is no adapter, as far as can be told, and what would bring one. */
export interface Explanation {
  readonly cause: string;
  readonly fix: string;
}

/** The oldest Mesa whose drivers Dawn accepts. */
const OLDEST_MESA = 23;

/** Fetches a software driver, in a command to paste. */
const FETCH = "pnpm cli doctor --download";

/** The likeliest reason for there being no adapter, the most particular first. */
export function explainNoAdapter(
  facts: SystemFacts,
  about: { readonly choice?: DriverChoice | undefined; readonly platform: NodeJS.Platform },
): Explanation {
  const { choice, platform } = about;
  if (platform === "darwin")
    return { cause: "macOS offers no Metal device", fix: "run it on the Mac itself: virtual machines may have none" };
  if (platform === "win32") return { cause: "Windows offers no Direct3D 12 device", fix: "update Windows and the GPU's driver" };
  const install = choice?.install ?? "install your distribution's packages mesa-vulkan-drivers and libvulkan1";
  const download = `${FETCH}   # fetches a software driver into ~/.cache/cursive, once, without root, as train does by itself`;
  const fetch = choice?.triedDownload ? install : download;
  if (choice?.driver)
    return {
      cause: `CURSIVE_DRIVER asks for ${choice.driver}, which does not work: ${choice.message}`,
      fix: ["lavapipe", "swiftshader"].includes(choice.driver) ? fetch : "unset CURSIVE_DRIVER",
    };
  if (facts.missing.length > 0)
    return {
      cause: `a variable names a driver that is not there: ${facts.missing.join(", ")}`,
      fix: "unset VK_DRIVER_FILES VK_ICD_FILENAMES VK_ADD_DRIVER_FILES",
    };
  if (facts.forbidden.length > 0)
    return {
      cause: `you may not open ${facts.forbidden.join(", ")}`,
      fix: 'sudo usermod -aG render,video "$USER"   # then log in again',
    };
  const [gpu] = facts.gpus;
  if (gpu && !facts.manifests.some((name) => !name.startsWith("lvp")))
    return {
      cause: `there is a GPU by ${gpu}, but no Vulkan driver for it`,
      fix: gpu === "NVIDIA" ? "install NVIDIA's driver; in a container: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all" : install,
    };
  if (!facts.hasLoader) return { cause: "there is no Vulkan loader (libvulkan.so.1)", fix: fetch };
  if (facts.manifests.length === 0) return { cause: "there is no Vulkan driver", fix: fetch };
  const mesa = Number.parseInt(facts.mesa ?? "", 10);
  if (mesa < OLDEST_MESA) return { cause: `Mesa ${facts.mesa} is too old for Dawn, which wants ${OLDEST_MESA} or later`, fix: fetch };
  return { cause: `Dawn accepts none of ${facts.manifests.join(", ")}`, fix: fetch };
}
