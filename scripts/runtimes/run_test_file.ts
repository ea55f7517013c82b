// Runs one test file inside a browser or Deno, by vitest's own runner.
import { type File, startTests, type Task, type VitestRunner } from "@vitest/runner";

/** What came of a test. */
export interface TestResult {
  /** The names of the groups around it and its own. */
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly milliseconds: number;
  /** Why it failed, or why it skipped itself. */
  readonly notes: readonly string[];
}

/** What came of a test file. */
export interface FileResult {
  readonly tests: readonly TestResult[];
  /** What went wrong outside of any test. */
  readonly errors: readonly string[];
  readonly milliseconds: number;
}

/**
 * Imports a test file and runs its tests, one after another.
 *
 * @param url where the file is, for `import()`
 */
export async function runTestFile(url: string, options: { readonly timeout: number }): Promise<FileResult> {
  const start = performance.now();
  const [file] = await startTests([url], runner(options));
  return { ...report(file!), milliseconds: Math.round(performance.now() - start) };
}

function runner({ timeout }: { timeout: number }): VitestRunner {
  return {
    config: {
      root: "/",
      name: undefined,
      setupFiles: [],
      passWithNoTests: false,
      testNamePattern: undefined,
      allowOnly: true,
      sequence: { seed: 0, hooks: "stack", setupFiles: "list" },
      chaiConfig: undefined,
      maxConcurrency: 1,
      testTimeout: timeout,
      hookTimeout: timeout,
      retry: 0,
      includeTaskLocation: false,
      tags: [],
      tagsFilter: undefined,
      strictTags: false,
    },
    importFile: (path) => import(path),
  };
}

function report(file: File): Omit<FileResult, "milliseconds"> {
  const tests: TestResult[] = [];
  const errors: string[] = [];
  const visit = (task: Task, groups: readonly string[]): void => {
    const messages = (task.result?.errors ?? []).map(describe);
    if (task.type === "suite") {
      errors.push(...messages);
      for (const inner of task.tasks) visit(inner, task === file ? groups : [...groups, task.name]);
      return;
    }
    const state = task.result?.state === "pass" ? "passed" : task.result?.state === "fail" ? "failed" : "skipped";
    // What a test says when it skips itself; vitest's types keep it to themselves.
    const { note } = (task.result ?? {}) as { note?: string };
    const milliseconds = Math.round(task.result?.duration ?? 0);
    tests.push({ name: [...groups, task.name].join(" > "), state, milliseconds, notes: note ? [note, ...messages] : messages });
  };
  visit(file, []);
  return { tests, errors };
}

function describe({ message, stack = "", diff }: { message: string; stack?: string; diff?: string }): string {
  return [stack.includes(message) ? undefined : message, stack, diff].filter(Boolean).join("\n");
}
