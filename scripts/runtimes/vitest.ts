// What test files import as "vitest" where vitest itself does not run, in browsers and Deno: its own runner, matchers and spies, without its
// server. Snapshots, and what else belongs to the server or to Node, are missing.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  type ExpectStatic,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from "@vitest/expect";
import * as spies from "@vitest/spy";

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, onTestFinished } from "@vitest/runner";

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

const globals = globalThis as unknown as Record<symbol, object>;

/** vitest's `expect`: the same matchers, messages and differences. */
export const expect: ExpectStatic = Object.assign(
  (value: unknown, message?: string) => chai.expect(value, message),
  chai.expect,
  globals[ASYMMETRIC_MATCHERS_OBJECT],
) as unknown as ExpectStatic;

// Matchers ask the global `expect` for what was configured, such as added testers of equality.
globals[GLOBAL_EXPECT] = expect;
setState({ assertionCalls: 0 }, expect);

/** Spies; not vitest's clocks, environments and modules. */
export const vi: Pick<typeof spies, "fn" | "restoreAllMocks" | "spyOn"> = spies;
