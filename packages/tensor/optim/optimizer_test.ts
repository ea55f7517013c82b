import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { TensorError } from "../errors.ts";
import { Parameter } from "../nn/parameter.ts";
import { epsilon, expectClose, type Nd, nd, oracle, runs, seededValues, zip } from "../testing/mod.ts";
import { Adam, AdamW } from "./adam.ts";
import type { Optimizer } from "./optimizer.ts";
import { CosineLR, LinearLR, StepLR } from "./schedule.ts";
import { SGD } from "./sgd.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const parameterOf = (values: Nd): Parameter => new Parameter(tensor(Float32Array.from(values.data), { shape: values.shape }));

interface Case {
  readonly shapes: number[][];
  readonly seed: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number | undefined;
}

const cases: fc.Arbitrary<Case> = fc.record({
  shapes: fc.array(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
  seed: fc.nat(1e6),
  weightDecay: fc.constantFrom(0, 0.1),
  maxGradNorm: fc.constantFrom(undefined, 0.3, 1e6),
});

interface Compared {
  readonly make: (parameters: Parameter[]) => Optimizer;
  /** A parameter after a step, by the oracle. */
  readonly step: (values: Nd, gradient: Nd, index: number) => Nd;
  /** How far roundings that its formula enlarges may have moved a parameter. Default not at all. */
  readonly enlarged?: (index: number) => Nd | undefined;
}

/** Steps an optimizer over drawn gradients and compares every parameter with what the float64 oracle makes of them. */
async function agrees(drawn: Case, { make, step, enlarged }: Compared): Promise<void> {
  let wanted = drawn.shapes.map((shape, i) => seededValues(drawn.seed + i, shape));
  const parameters = wanted.map(parameterOf);
  const optimizer = make(parameters);
  for (let t = 1; t <= 4; t++) {
    const gradients = drawn.shapes.map((shape, i) => seededValues(drawn.seed + 100 * t + i, shape));
    for (const [i, p] of parameters.entries()) p.grad = parameterOf(gradients[i]!).detach();
    optimizer.step();
    const used = drawn.maxGradNorm === undefined ? gradients : oracle.clipGradNorm(gradients, drawn.maxGradNorm).gradients;
    wanted = wanted.map((values, i) => step(values, used[i]!, i));
  }
  // Four steps of about a dozen roundings each, at the size of the values; Adam's quotient is at most about 1 and scaled by lr.
  for (const [i, p] of parameters.entries())
    expectClose(
      await p.data(),
      wanted[i]!,
      wanted[i]!.data.map((v, at) => 50 * epsilon * (1 + Math.abs(v)) + (enlarged?.(i)?.data[at] ?? 0)),
    );
}

const rates = { lr: 0.02, betas: [0.9, 0.99] as const, eps: 1e-8 };

/** What rounding does where Adam's decay joins the gradient. */
interface DecayError {
  /** Of the sums g + λp, the most so far. */
  readonly sum: Nd;
  /** Of the parameter, beyond the usual. */
  readonly parameter: Nd;
}

/**
 * The error after one more step. A sum g + λp is off by a dozen roundings of |g| + λ|p| and λ times what p is off, also where little remains
 * of it, and Adam divides by the size of such sums: √v̂ is off by at most the sums' greatest error e as m̂ is, both being averages, and
 * |m̂| ≤ √v̂, so the quotient is off by at most 2e / (√v̂ − e + ε); but never by more than from −1 to 1.
 */
function decayError(
  { sum, parameter }: DecayError,
  { gradient, before, after, weightDecay }: { gradient: Nd; before: Nd; after: oracle.AdamState; weightDecay: number },
): DecayError {
  const sizes = zip(gradient, before, (g, p) => Math.abs(g) + weightDecay * Math.abs(p));
  const now = zip(sizes, parameter, (size, off) => 12 * epsilon * size + weightDecay * off);
  const most = zip(sum, now, Math.max);
  const correction = 1 - rates.betas[1] ** after.step;
  const quotient = zip(most, after.meanSquare, (e, v) => Math.min(2, (2 * e) / (Math.max(Math.sqrt(v / correction) - e, 0) + rates.eps)));
  return { sum: most, parameter: zip(parameter, quotient, (off, q) => off + rates.lr * q) };
}

function adam(decoupled: boolean): (drawn: Case) => Promise<void> {
  return async (drawn) => {
    const { weightDecay, maxGradNorm } = drawn;
    const options = { ...rates, weightDecay, maxGradNorm };
    const states = new Map<number, oracle.AdamState>();
    const errors = new Map<number, DecayError>();
    await agrees(drawn, {
      make: (parameters) => (decoupled ? new AdamW(parameters, options) : new Adam(parameters, options)),
      step: (before, gradient, i) => {
        const after = oracle.adamStep(states.get(i) ?? oracle.adamStart(before), gradient, { ...options, decoupled });
        states.set(i, after);
        const none = { sum: nd(before.shape), parameter: nd(before.shape) };
        if (!decoupled && weightDecay > 0) errors.set(i, decayError(errors.get(i) ?? none, { gradient, before, after, weightDecay }));
        return after.parameter;
      },
      enlarged: (i) => errors.get(i)?.parameter,
    });
  };
}

function sgd(options: { momentum?: number; dampening?: number; nesterov?: boolean }): (drawn: Case) => Promise<void> {
  return async ({ weightDecay, maxGradNorm, ...drawn }) => {
    const states = new Map<number, oracle.SgdState>();
    const all = { lr: 0.1, weightDecay, ...options };
    await agrees(
      { ...drawn, weightDecay, maxGradNorm },
      {
        make: (parameters) => new SGD(parameters, { ...all, maxGradNorm }),
        step: (parameter, gradient, i) => {
          const state = oracle.sgdStep(states.get(i) ?? { parameter }, gradient, all);
          states.set(i, state);
          return state.parameter;
        },
      },
    );
  };
}

describe("optimizers", () => {
  it("AdamW agrees with its formula in float64, clipped or not", () => fc.assert(fc.asyncProperty(cases, adam(true)), runs(10)));

  it("Adam agrees with its formula in float64", () => fc.assert(fc.asyncProperty(cases, adam(false)), runs(6)));

  it("SGD agrees with its formula in float64", async () => {
    for (const options of [
      {},
      { momentum: 0.9 },
      { momentum: 0.9, dampening: 0.5 },
      { momentum: 0.9, nesterov: true },
      { dampening: 0.5 },
    ]) {
      await fc.assert(fc.asyncProperty(cases, sgd(options)), runs(3));
    }
  });

  it("are caught by these properties without their bias correction or their clipping", async () => {
    const drawn: Case = { shapes: [[7]], seed: 1, weightDecay: 0, maxGradNorm: 0.3 };
    await withMutation("optimizer", ["sqrt(params.correction2)", "1.0"], () => expect(adam(true)(drawn)).rejects.toThrow("outside"));
    await withMutation("optimizer", ["gradients[i] * clip[0]", "gradients[i]"], () => expect(sgd({})(drawn)).rejects.toThrow("outside"));
  });

  it("leave parameters without a gradient alone", async () => {
    const [a, b, c] = [1, 2, 3].map((v) => parameterOf(nd([2], [v, v]))) as [Parameter, Parameter, Parameter];
    const optimizer = new AdamW([a, b, c], { lr: 0.1 });
    a.grad = tensor([1, 1]);
    c.grad = tensor([1, 1]);
    optimizer.step();
    expect([...(await b.data())]).toEqual([2, 2]);
    expect((await a.data())[0]).toBeCloseTo(0.9 - 0.001, 5);
    expect((await c.data())[1]).toBeCloseTo(2.9 - 0.003, 5);
  });

  it("measure the norm of all gradients without reading it back", async () => {
    const p = parameterOf(nd([2], [0, 0]));
    const optimizer = new SGD([p], { lr: 1, maxGradNorm: 1 });
    p.grad = tensor([3, 4]);
    optimizer.step();
    expect(await optimizer.gradNorm.item()).toBeCloseTo(5, 5);
    expect((await p.data())[0]).toBeCloseTo(-0.6, 5);
    expect(() => new SGD([p], { lr: 1 }).gradNorm).toThrow("Expected an optimizer with maxGradNorm");
  });

  it("keep views of the parameters valid when they pack them, and do not move them again for the same list", async () => {
    const [a, b] = [parameterOf(nd([3], [1, 2, 3])), parameterOf(nd([2], [4, 5]))];
    new AdamW([a, b], { lr: 0.1 });
    const { storage } = a;
    expect(b.storage).toBe(storage);
    expect([...(await a.data()), ...(await b.data())]).toEqual([1, 2, 3, 4, 5]);
    new AdamW([a, b], { lr: 0.1 });
    expect(a.storage).toBe(storage);
  });

  it("go on exactly from a state that was read back", async () => {
    const start = (): { p: Parameter; optimizer: AdamW } => {
      const p = parameterOf(nd([5], [1, -2, 3, -4, 5]));
      return { p, optimizer: new AdamW([p], { lr: 0.1 }) };
    };
    const stepTimes = ({ p, optimizer }: ReturnType<typeof start>, from: number, to: number): void => {
      for (let t = from; t < to; t++) {
        p.grad = parameterOf(seededValues(t, [5])).detach();
        optimizer.step();
      }
    };
    const straight = start();
    stepTimes(straight, 0, 6);
    const first = start();
    stepTimes(first, 0, 3);
    const resumed = start();
    resumed.p.copyFrom(first.p);
    resumed.optimizer.loadStateDict(await first.optimizer.stateDict());
    stepTimes(resumed, 3, 6);
    expect(await resumed.p.data()).toEqual(await straight.p.data());
  });

  it("refuse a state of other parameters, and no parameters at all", async () => {
    const state = await new AdamW([parameterOf(nd([3]))], { lr: 0.1 }).stateDict();
    const other = new AdamW([parameterOf(nd([4]))], { lr: 0.1 });
    expect(() => other.loadStateDict(state)).toThrow("Expected moment 'exp_avg.0' of shape [4] but found [3]");
    expect(() => new AdamW([], { lr: 0.1 })).toThrow(TensorError);
    expect(() => new AdamW([parameterOf(nd([1]))], { lr: -1 })).toThrow("Expected a learning rate of at least 0 but found -1");
  });
});

describe("schedules", () => {
  const rates = (make: (optimizer: SGD) => { step(): void }, count: number): number[] => {
    const optimizer = new SGD([parameterOf(nd([1]))], { lr: 1 });
    const schedule = make(optimizer);
    return Array.from({ length: count }, () => {
      const { lr } = optimizer;
      schedule.step();
      return lr;
    });
  };

  it("StepLR multiplies the rate every few steps", () => {
    expect(rates((o) => new StepLR(o, { stepSize: 2, gamma: 0.5 }), 5)).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });

  it("CosineLR warms up, then falls along half a cosine to its least", () => {
    const found = rates((o) => new CosineLR(o, { totalSteps: 5, warmupSteps: 1, minFactor: 0.1 }), 7);
    const wanted = [0.5, 1, 0.1 + 0.45 * (1 + Math.SQRT1_2), 0.55, 0.1 + 0.45 * (1 - Math.SQRT1_2), 0.1, 0.1];
    for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 12);
  });

  it("LinearLR warms up, holds, and falls to 0", () => {
    expect(rates((o) => new LinearLR(o, { totalSteps: 6, warmupSteps: 1, decaySteps: 2 }), 7)).toEqual([0.5, 1, 1, 1, 1, 0.5, 0]);
  });

  it("go back to where a run was", () => {
    const optimizer = new SGD([parameterOf(nd([1]))], { lr: 1 });
    const schedule = new StepLR(optimizer, { stepSize: 10, gamma: 0.1 });
    schedule.stepCount = 25;
    expect(optimizer.lr).toBeCloseTo(0.01, 12);
  });
});
