import { HookError } from "../errors.ts";

let asked: { count: number } | undefined;

/**
 * Runs a hook. Hooks run while kernels are being recorded, so there is nothing to read yet.
 * @throws HookError if the body asks for values of a tensor.
 */
export function withoutReadbacks<T>(body: () => T): T {
  const before = asked;
  const mine = { count: 0 };
  asked = mine;
  let result: T;
  try {
    result = body();
  } finally {
    asked = before;
  }
  if (mine.count > 0)
    throw new HookError(
      "Expected a hook that only computes with tensors but found a readback in it: hooks run while kernels are being recorded, so the " +
        "value is not computed yet. Keep the tensor, and read it after the run",
    );
  return result;
}

/** True inside of {@link withoutReadbacks}, which then knows that a readback was asked for. */
export function refusesReadback(): boolean {
  if (asked) asked.count++;
  return asked !== undefined;
}
