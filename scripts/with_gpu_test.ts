import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseEnvironment, NoDriverError } from "./gpu/choose.mjs";
import { callsDoctor, parseRequest } from "./with_gpu.mjs";

const WITH_GPU = fileURLToPath(new URL("with_gpu.mjs", import.meta.url));

describe("parseRequest", () => {
  it("passes on every argument but its own, in order", () => {
    const word = fc.constantFrom("train", "--lr", "0.1", "--", "-v", "--filter=x", "--no-download");
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const { args, download } = parseRequest(["node", ...words], {});
        expect(args).toEqual(words.filter((argument) => argument !== "--no-download"));
        expect(download).toBe(!words.includes("--no-download"));
      }),
    );
  });

  it("takes --driver only in front of the command: behind it, it is the command's", () => {
    expect(parseRequest(["--driver", "swiftshader", "node", "--driver", "x"], {})).toEqual({
      command: "node",
      args: ["--driver", "x"],
      driver: "swiftshader",
      download: true,
    });
  });

  it("reads the same from the environment", () => {
    const env = { CURSIVE_DRIVER: "lavapipe", CURSIVE_NO_DOWNLOAD: "1" };
    expect(parseRequest(["node"], env)).toEqual({ command: "node", args: [], driver: "lavapipe", download: false });
  });
});

describe("callsDoctor", () => {
  it("looks at the command line's command, not at words that other commands take", () => {
    const cli = ["--import", "tsx", "packages/cli/main.ts"];
    expect(callsDoctor([...cli, "doctor", "--quick"])).toBe(true);
    expect(callsDoctor([...cli, "train", "--name", "doctor"])).toBe(false);
    expect(callsDoctor(cli)).toBe(false);
    expect(callsDoctor(["doctor"])).toBe(false);
  });
});

describe.runIf(process.platform === "linux")("chooseEnvironment", () => {
  it("names the variable when the driver that a user chose gives no adapter", async () => {
    const env = { ...process.env, VK_ICD_FILENAMES: "/nonexistent.json", VK_DRIVER_FILES: "", VK_ADD_DRIVER_FILES: "" };
    await expect(chooseEnvironment(env, { download: false })).rejects.toThrow(NoDriverError);
    await expect(chooseEnvironment(env, { download: false })).rejects.toThrow("VK_ICD_FILENAMES=/nonexistent.json");
  });

  it("refuses a driver that it does not know", async () => {
    await expect(chooseEnvironment({}, { forced: "nouveau" })).rejects.toThrow(
      'Expected a driver (lavapipe, swiftshader) but found "nouveau"',
    );
  });
});

describe.runIf(process.platform === "linux")("a start without any driver", () => {
  /** Starts the command line as `pnpm cli` does, where nothing has been fetched and the loader finds no driver. */
  function start(...args: string[]): { status: number | null; stdout: string; fetched: boolean } {
    const cache = mkdtempSync(join(tmpdir(), "with-gpu-"));
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, XDG_CACHE_HOME: cache, VK_LOADER_DRIVERS_DISABLE: "*", CURSIVE_NO_DOWNLOAD: args[0] === "doctor" ? "" : "1" };
    try {
      const child = spawnSync(process.execPath, [WITH_GPU, "node", "--import", "tsx", "packages/cli/main.ts", ...args], {
        env,
        encoding: "utf8",
      });
      return { ...child, fetched: ["lavapipe", "swiftshader"].some((name) => existsSync(join(cache, "cursive", name))) };
    } finally {
      rmSync(cache, { recursive: true });
    }
  }

  it("stops other commands", () => {
    expect(start("config", "ls")).toMatchObject({ status: 1, stdout: "" });
  });

  it("lets the doctor through, who says how to get one, and fetches nothing by itself", () => {
    const { status, stdout, fetched } = start("doctor", "--quick", "--json");
    expect({ status, fetched }).toEqual({ status: 1, fetched: false });
    const { verdict } = JSON.parse(stdout);
    expect(verdict.starts).toMatchObject({ answer: "no", fix: expect.stringMatching(/^pnpm cli doctor --download/) });
  });
});
