import { readFile } from "node:fs/promises";
import { currentCommit } from "../../run/environment.ts";
import type { Finding } from "../finding.ts";

/** Which version of this program speaks: what a report shown to others begins with. */
export async function checkProgram(): Promise<Finding> {
  const manifest = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  const commit = await currentCommit();
  const state = commit?.endsWith("+") ? ", with files changed" : "";
  return {
    id: "machine.program",
    name: "cursive",
    status: "ok",
    found: `${manifest.version}${commit ? `, commit ${commit.slice(0, 10)}${state}` : ""}`,
    data: { version: manifest.version, commit },
  };
}
