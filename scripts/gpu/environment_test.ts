import { describe, expect, it } from "vitest";
import { manifest, withDriver } from "./environment.mjs";

const driver = { name: "lavapipe", folder: "/cache/lavapipe" };

describe("withDriver", () => {
  it("adds a driver behind the system's", () => {
    const env = withDriver({ PATH: "/bin" }, driver, { mode: "add" });
    expect(env).toEqual({ PATH: "/bin", VK_ADD_DRIVER_FILES: "/cache/lavapipe/icd.json", LD_LIBRARY_PATH: "/cache/lavapipe/lib" });
  });

  it("makes a driver the only one, whatever variable named another", () => {
    const env = withDriver({ VK_DRIVER_FILES: "a", VK_ADD_DRIVER_FILES: "b", VK_ICD_FILENAMES: "c" }, driver, { mode: "only" });
    expect(env).toEqual({ VK_ICD_FILENAMES: "/cache/lavapipe/icd.json", LD_LIBRARY_PATH: "/cache/lavapipe/lib" });
  });

  it("keeps the caller's library path behind the driver's", () => {
    expect(withDriver({ LD_LIBRARY_PATH: "/opt/lib" }, driver, { mode: "add" }).LD_LIBRARY_PATH).toBe("/cache/lavapipe/lib:/opt/lib");
  });
});

describe("manifest", () => {
  it("names the library relative to itself, so that its folder may move", () => {
    expect(JSON.parse(manifest("libvulkan_lvp.so")).ICD.library_path).toBe("./lib/libvulkan_lvp.so");
  });
});
