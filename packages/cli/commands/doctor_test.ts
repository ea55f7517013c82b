import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import process from "node:process";
import { describe, expect, it } from "vitest";
import type { Report } from "../doctor/report.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { runCli } from "../testing/run_cli.ts";

describe("doctor", () => {
  it("reports in plain text off a terminal, home folder as ~, leaves nothing behind, and ends with three answers", async () => {
    using folder = temporaryFolder();
    const before = readdirSync(folder.path);
    const { code, stdout, stderr } = await runCli(["doctor", "--quick", "--runs", folder.path]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no colours
    expect(stdout).not.toMatch(/\u001b/);
    expect(stdout).not.toContain(`${homedir()}/`);
    expect(stdout.match(/^\w.*/gm)!.map((line) => line.split(/[:,]/)[0])).toEqual([
      "Machine",
      "GPU",
      "Arithmetic",
      "Disk",
      "Does it start?          yes",
      "Does it compute right?  yes",
      "Is it fast?             not known",
      expect.stringMatching(/^\d+ ok/),
    ]);
    expect(readdirSync(folder.path)).toEqual(before);
  });

  it.skipIf(process.platform !== "linux")("gives its whole report without an adapter, as one JSON object, and exit code 1", async () => {
    using folder = temporaryFolder();
    const variables = { VK_ICD_FILENAMES: "/none.json", VK_DRIVER_FILES: "", VK_ADD_DRIVER_FILES: "" };
    const env = { ...process.env, ...variables, CURSIVE_DRIVER_CHOICE: undefined }; // as someone sets them who starts the command
    const { code, stdout, stderr } = await runCli(["doctor", "--json", "--runs", folder.path], { env });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    const report = JSON.parse(stdout) as Report;
    expect(report).toMatchObject({
      schema: "cursive-doctor",
      version: 1,
      exitCode: 1,
      verdict: { starts: { answer: "no", fix: expect.stringMatching(/^unset VK_/) } },
    });
    const groups = new Set(report.findings.map(({ id }) => id.split(".")[0]));
    expect([...groups]).toEqual(["machine", "gpu", "arithmetic", "speed", "disk"]);
    for (const { status, fix } of report.findings) if (status === "warn" || status === "fail") expect(fix).toBeDefined();
    expect(report.counts.fail).toBe(1);
    expect(Object.values(report.counts).reduce((a, b) => a + b)).toBe(report.findings.length);
  });

  it("explains itself, and refuses what it does not know", async () => {
    const help = await runCli(["doctor", "--help"]);
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("Examples:") });
    expect(await runCli(["doctor", "--quik"])).toMatchObject({
      code: 2,
      stderr: "error: unknown option '--quik' (Did you mean --quick?)\n",
    });
  });
});
