import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";

const CHILD = `
  let interrupts = 0;
  process.on("SIGINT", () => interrupts++);
  process.on("SIGTERM", () => { console.log(interrupts); process.exit(7); });
  console.log("ready");
  setTimeout(() => {}, 60_000);
`;

/** Starts a process that runs a command through `runCommand`, without a terminal. */
function start(command: string, args: string[]): ChildProcess {
  const module = new URL("run_command.mjs", import.meta.url).href;
  const script = `
    import { runCommand } from ${JSON.stringify(module)};
    process.exitCode = await runCommand(${JSON.stringify(command)}, ${JSON.stringify(args)}, { env: process.env });
  `;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", "pipe"] });
}

/** The exit code that a command ends with. */
async function exitCode(command: string, args: string[]): Promise<number> {
  const [code] = await once(start(command, args), "exit");
  return code;
}

describe("runCommand", () => {
  it("ends with the command's exit code", async () => {
    expect(await exitCode("node", ["-e", "process.exit(0)"])).toBe(0);
    expect(await exitCode("node", ["-e", "process.exit(3)"])).toBe(3);
  });

  it("passes on what the command says on standard error, but for what Dawn says at every start", async () => {
    const says =
      "process.stderr.write('Warning: maxDynamicUniformBuffers artificially reduced from 9 to 1.\\nreal\\n'); console.log('out')";
    const child = start("node", ["-e", says]);
    let heard = "";
    child.stderr!.setEncoding("utf8").on("data", (text) => (heard += text));
    await once(child, "close");
    expect(heard).toBe("real\n");
  });

  it("ends with 127 when there is no such command", async () => {
    expect(await exitCode("no-such-command", [])).toBe(127);
  });

  it.skipIf(process.platform === "win32")("ends with 128 + n when signal n ended the command", async () => {
    expect(await exitCode("node", ["-e", "process.kill(process.pid, 'SIGKILL')"])).toBe(128 + 9);
  });

  it.skipIf(process.platform === "win32")("passes a supervisor's signals on, each once", async () => {
    const parent = start("node", ["-e", CHILD]);
    let output = "";
    const ended = once(parent, "exit");
    for await (const text of parent.stdout!.setEncoding("utf8")) {
      if (output === "" && text.includes("ready")) {
        parent.kill("SIGINT");
        setTimeout(() => parent.kill("SIGTERM"), 300);
      }
      output += text;
    }
    expect(output).toBe("ready\n1\n");
    expect((await ended)[0]).toBe(7);
  });
});
