import process from "node:process";
import { vi } from "vitest";
import { main } from "../cli.ts";
import type { Ended } from "./run_cli.ts";

/** Runs the command line in this process: for commands that open no GPU, and one at a time. */
export async function runInProcess(...args: string[]): Promise<Ended & { readonly code: number }> {
  const texts = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      texts[name] += chunk.toString();
      return true;
    }),
  );
  const log = vi.spyOn(console, "log").mockImplementation((text) => {
    texts.stdout += `${text}\n`;
  });
  const error = vi.spyOn(console, "error").mockImplementation((text) => {
    texts.stderr += `${text}\n`;
  });
  try {
    return { code: await main(args), ...texts };
  } finally {
    for (const spy of [...spies, log, error]) spy.mockRestore();
  }
}
