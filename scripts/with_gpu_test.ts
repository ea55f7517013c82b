import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseEnvironment, NoDriverError } from "./gpu/choose.mjs";
import { parseRequest } from "./with_gpu.mjs";

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
