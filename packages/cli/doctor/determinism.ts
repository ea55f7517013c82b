import { AdamW, capture, crossEntropy, type Device, embedding, layerNorm, linear, Parameter, type Tensor, tensor } from "@cursive/tensor";
import { map, seededIndices, seededValues } from "@cursive/tensor/testing/float64";
import { oneLine } from "../errors.ts";
import type { Finding } from "./finding.ts";
import { otherDriver } from "./gpu/other_driver.ts";

const [BATCH, LENGTH, WIDTH, HEADS, CLASSES] = [2, 32, 32, 2, 77];
const STEPS = 3;

/** Whether training steps give the same bits when they are taken again, captured and eagerly: what resuming a run relies on. */
export async function checkDeterminism(device: Device): Promise<Finding> {
  const about = { id: "arithmetic.bits", name: "same bits again" } as const;
  try {
    const [first, again] = [await trainingBits(device, { captured: true }), await trainingBits(device, { captured: true })];
    const eager = await trainingBits(device, { captured: false });
    const differing = (other: Uint32Array): number => first.filter((word, i) => word !== other[i]).length;
    const data = { numbers: first.length, differingAgain: differing(again), differingEagerly: differing(eager) };
    const isSame = data.differingAgain + data.differingEagerly === 0;
    const found = isSame
      ? `${STEPS} captured training steps, taken twice, and eagerly: ${first.length} numbers, all the same`
      : `of ${first.length} numbers ${data.differingAgain} differ at a second run, ${data.differingEagerly} without capture`;
    return { ...about, status: isSame ? "ok" : "fail", found, ...(!isSame && { fix: otherDriver(device) }), data };
  } catch (error) {
    return { ...about, status: "fail", found: oneLine(error).slice(0, 300), fix: otherDriver(device) };
  }
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
