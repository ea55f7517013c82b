import process from "node:process";
import type { Finding } from "../finding.ts";

/** The oldest Node that everything runs on. */
const OLDEST = [20, 19] as const;

/** Node's version, and where it runs. */
export function checkNode(about: { version: string; platform: string; arch: string } = process): Finding {
  const { version, platform, arch } = about;
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const isRecent = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return {
    id: "machine.node",
    name: "Node",
    status: isRecent ? "ok" : "fail",
    found: `${version} on ${platform} ${arch}${isRecent ? "" : `, older than ${OLDEST.join(".")}`}`,
    ...(!isRecent && { fix: "install Node 20.19 or later: https://nodejs.org/en/download" }),
    data: { version, platform, arch },
  };
}
