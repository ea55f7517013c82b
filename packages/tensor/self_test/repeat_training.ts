import { AdamW, capture, crossEntropy, type Device, embedding, layerNorm, linear, Parameter, type Tensor, tensor } from "../mod.ts";
import { map, seededIndices, seededValues } from "../testing/float64.ts";

const [BATCH, LENGTH, WIDTH, HEADS, CLASSES] = [2, 32, 32, 2, 77];
const STEPS = 3;

/** How training came out that was done again. */
export interface RepeatedTraining {
  readonly steps: number;
  /** Losses and parameters that were compared. */
  readonly numbers: number;
  /** Of these, how many have other bits the second time. */
  readonly differingAgain: number;
  /** And how many where the steps run eagerly instead of captured. */
  readonly differingEagerly: number;
}

/**
 * Whether training steps give the same bits when they are taken again, captured and eagerly: what resuming a run relies on.
 *
 * @example
 * ```ts
 * const { differingAgain, differingEagerly } = await repeatTraining(device); // 0 and 0
 * ```
 */
export async function repeatTraining(device: Device): Promise<RepeatedTraining> {
  const [first, again] = [await trainingBits(device, { captured: true }), await trainingBits(device, { captured: true })];
  const eager = await trainingBits(device, { captured: false });
  const differing = (other: Uint32Array): number => first.filter((word, i) => word !== other[i]).length;
  return { steps: STEPS, numbers: first.length, differingAgain: differing(again), differingEagerly: differing(eager) };
}

/** Trains a block of a transformer for a few steps; the bits of its losses and parameters. */
async function trainingBits(device: Device, { captured }: { captured: boolean }): Promise<Uint32Array> {
  const parameter = (seed: number, ...shape: number[]): Parameter => {
    const { data } = map(seededValues(seed, shape), (v) => v / Math.sqrt(shape.at(-1)!));
    return new Parameter(tensor(Float32Array.from(data), { shape, device }));
  };
  const table = parameter(1, CLASSES, WIDTH);
  const [projection, inner, bias, output] = [
    parameter(2, 3 * WIDTH, WIDTH),
    parameter(3, WIDTH, WIDTH),
    parameter(4, WIDTH),
    parameter(5, CLASSES, WIDTH),
  ];
  const parameters = [table, projection, inner, bias, output];
  const tokens = tensor(Int32Array.from(seededIndices(6, [BATCH, LENGTH], CLASSES).data), { shape: [BATCH, LENGTH], device });
  const targets = tensor(Int32Array.from(seededIndices(7, [BATCH, LENGTH], CLASSES).data), { shape: [BATCH, LENGTH], device });
  const optimizer = new AdamW(parameters, { lr: 1e-2, maxGradNorm: 1 });

  const step = (): Tensor => {
    optimizer.zeroGrad();
    const x = embedding(tokens, table); // [B, T, C]
    const heads = linear(layerNorm(x), projection, null)
      .reshape([BATCH, LENGTH, 3 * HEADS, WIDTH / HEADS])
      .transpose(1, 2); // [B, 3 H, T, C / H]
    const [q, k, v] = heads.split(HEADS, 1) as [Tensor, Tensor, Tensor];
    const mixed = q.scaledDotProductAttention(k, v, { causal: true }).transpose(1, 2).reshape([BATCH, LENGTH, WIDTH]);
    const hidden = linear(mixed, inner, bias, { activation: "gelu" });
    const loss = crossEntropy(linear(x.add(hidden), output, null), targets);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const run = captured ? capture(step, { device }) : async () => step();
  const losses: number[] = [];
  for (let i = 0; i < STEPS; i++) losses.push(await (await run()).item());
  const values = await Promise.all(parameters.map((p) => p.data()));
  return new Uint32Array(Float32Array.from([...losses, ...values.flatMap((list) => [...list])]).buffer);
}
