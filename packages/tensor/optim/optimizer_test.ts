import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { TensorError } from "../errors.ts";
import { Parameter } from "../nn/parameter.ts";
import { expectClose, type Nd, nd, oracle, runs, seededValues } from "../testing/mod.ts";
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

/** Steps an optimizer over drawn gradients and compares every parameter with what the float64 oracle makes of them. */
async function agrees(
  drawn: Case,
  { make, step }: { make: (parameters: Parameter[]) => Optimizer; step: (values: Nd, gradient: Nd, index: number) => Nd },
): Promise<void> {
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
      Float64Array.from(wanted[i]!.data, (v) => 50 * 2 ** -24 * (1 + Math.abs(v))),
    );
}

function adam(decoupled: boolean): (drawn: Case) => Promise<void> {
  return async (drawn) => {
    const options = { lr: 0.02, betas: [0.9, 0.99] as const, eps: 1e-8, weightDecay: drawn.weightDecay, maxGradNorm: drawn.maxGradNorm };
    const states = new Map<number, oracle.AdamState>();
    await agrees(drawn, {
      make: (parameters) => (decoupled ? new AdamW(parameters, options) : new Adam(parameters, options)),
      step: (values, gradient, i) => {
        const state = oracle.adamStep(states.get(i) ?? oracle.adamStart(values), gradient, { ...options, decoupled });
        states.set(i, state);
        return state.parameter;
      },
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
