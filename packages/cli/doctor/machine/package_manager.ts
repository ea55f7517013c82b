import process from "node:process";
import type { Finding } from "../finding.ts";

/** What started the command line, by the variable in which every package manager names itself. */
export function checkPackageManager(env: NodeJS.ProcessEnv = process.env): Finding {
  const [agent = ""] = (env.npm_config_user_agent ?? "").split(" ");
  const [name, version] = agent.split("/");
  const about = { id: "machine.package-manager", name: "package manager" } as const;
  if (!name || !version) return { ...about, status: "ok", found: "none: started by Node itself", data: { name: null, version: null } };
  const isPnpm = name === "pnpm";
  return {
    ...about,
    status: isPnpm ? "ok" : "warn",
    found: `${name} ${version}${isPnpm ? "" : ", which knows nothing of this workspace"}`,
    ...(!isPnpm && { fix: "npx --yes pnpm@10.34.8 cli doctor" }),
    data: { name, version },
  };
}
