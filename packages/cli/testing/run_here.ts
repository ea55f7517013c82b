import process from "node:process";
import { vi } from "vitest";
import { main } from "../cli.ts";

/** What a command said and how it ended. */
export interface SaidHere {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process, which spares a process's start; not for commands that are to be interrupted. */
export async function runHere(...args: string[]): Promise<SaidHere> {
  const texts = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).flatMap((name) => [
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      texts[name] += chunk.toString();
      return true;
    }),
    vi.spyOn(console, name === "stdout" ? "log" : "error").mockImplementation((text) => {
      texts[name] += `${text}\n`;
    }),
  ]);
  try {
    return { code: await main(args), ...texts };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
