import { currentCommit, ownVersion } from "../../run/environment.ts";
import type { Finding } from "../finding.ts";

/** Which version of this program speaks: what a report shown to others begins with. */
export async function checkProgram(): Promise<Finding> {
  const [version, commit] = await Promise.all([ownVersion(), currentCommit()]);
  const state = commit?.endsWith("+") ? ", with files changed" : "";
  return {
    id: "machine.program",
    name: "cursive",
    status: "ok",
    found: `${version}${commit ? `, commit ${commit.slice(0, 10)}${state}` : ""}`,
    data: { version, commit },
  };
}
