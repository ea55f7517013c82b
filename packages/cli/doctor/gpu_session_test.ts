import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/mini.ts";
import type { Finding } from "./finding.ts";
import { checkGpuApart } from "./gpu_session.ts";

/** What is found where the process of the checks runs this code. */
async function findingsOf(code: string, silence = 60_000): Promise<Finding[]> {
  using folder = temporaryFolder();
  const file = join(folder.path, "checks.mjs");
  writeFileSync(file, code);
  const found: Finding[] = [];
  const listener = { emit: (finding: Finding) => void found.push(finding), progress: () => {} };
  await checkGpuApart({ quick: true, thorough: false }, { ...listener, module: pathToFileURL(file), silence });
  return found;
}

const send = (message: object): string => `process.send(${JSON.stringify(message)});`;
const adapter = { finding: { id: "gpu.adapter", name: "adapter", status: "fail", found: "none" } };
const none = { finding: { id: "arithmetic.none", name: "all", status: "skip", found: "not checked" } };

describe("checkGpuApart()", () => {
  it.skipIf(process.platform === "win32")("makes a finding of a driver that crashes, with what it was at", async () => {
    const code = `${send({ progress: "comparing softmax" })} console.error("Assertion failed"); setTimeout(() => process.kill(process.pid, "SIGSEGV"), 200);`;
    const [finding] = await findingsOf(code);
    expect(finding).toMatchObject({ id: "gpu.process", status: "fail", data: { how: "ended by SIGSEGV", doing: "comparing softmax" } });
    expect(finding!.found).toContain("Assertion failed");
    expect(finding!.fix).toBeDefined();
  });

  it("makes a finding of a driver that hangs, and ends it", async () => {
    const [finding] = await findingsOf(`${send({ progress: "opening the GPU" })} setInterval(() => {}, 1000);`, 4000);
    // Node itself starts within this time even on a busy machine.
    expect(finding).toMatchObject({ status: "fail", found: expect.stringContaining("did not answer for 4 s while opening the GPU") });
  });

  it("repeats Dawn's own words where there is no adapter, beside it, and without the noise of every start", async () => {
    const code = `
      console.error("Warning: maxDynamicUniformBuffers artificially reduced\\nWarning: Couldn't load Vulkan\\n    at operator() (/dawn/x.cpp:3)");
      ${send(adapter)}
      setTimeout(() => { ${send(none)} ${send({ done: true })} setTimeout(() => process.exit(0), 100); }, 300);`;
    const found = await findingsOf(code);
    expect(found.map(({ id }) => id)).toEqual(["gpu.adapter", "gpu.messages", "arithmetic.none"]);
    expect(found[1]!.found).toBe("Warning: Couldn't load Vulkan");
  });
});
