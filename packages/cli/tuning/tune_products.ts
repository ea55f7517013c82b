import process from "node:process";
import {
  type Device,
  formName,
  type ProductForm,
  type ProductShape,
  productClass,
  productForms,
  randn,
  type Tensor,
  type Tuning,
} from "@cursive/tensor";
import { median } from "../run/speed.ts";

/** What came of timing the forms of a product. */
export interface TunedProduct {
  /** `2048×64×256`, ᵀ where the left operand is transposed. */
  readonly product: string;
  /** Milliseconds by the usual kernel and by each form, medians; on a software adapter of processor time. */
  readonly usual: number;
  readonly forms: readonly { readonly form: string; readonly milliseconds: number }[];
  /** The form that is so much faster that it is taken, or null. */
  readonly chosen: string | null;
}

/** A tuning, and what it was chosen from. */
export interface TuningResult {
  readonly tuning: Tuning;
  readonly products: readonly TunedProduct[];
}

/**
 * What part of the usual kernel's time a form may take at most to be chosen: in the middle round, and in all but the worst one. More may be
 * noise, and every other pipeline has to be compiled.
 */
const WORTH_IT = { middle: 0.9, nearlyAll: 0.97 } as const;
const ROUNDS = 7;
/** Milliseconds of a turn, so that the wait for its end is small beside it. */
const TURN = 20;

const shape = (m: number, k: number, n: number, transposed = false): ProductShape => ({ m, k, n, transposed });

/** The presets' products for so many tokens a step: through attention, MLP and head, back, and the gradients of their weights. */
function productsOf(tokens: number): ProductShape[] {
  const wide = [64, 128, 256, 512];
  return [
    ...wide.map((n) => shape(tokens, 64, n)),
    ...wide.slice(1).map((k) => shape(tokens, k, 64)),
    ...wide.map((m) => shape(m, tokens, 64, true)),
  ];
}

/** The products that are timed on a device. */
export function productsToTune({ isSoftware }: Device): ProductShape[] {
  return isSoftware
    ? [...productsOf(1024), ...productsOf(2048), ...productsOf(4096)]
    : [...productsOf(2048), ...productsOf(8192), ...productsOf(32_768)];
}

/** Times the forms that products can have on a device, taking turns with the usual kernel, and keeps what is clearly faster. */
export async function tuneProducts(
  device: Device,
  options: { readonly shapes?: readonly ProductShape[]; readonly progress: (text: string) => void },
): Promise<TuningResult> {
  const { shapes = productsToTune(device), progress } = options;
  const products: TunedProduct[] = [];
  const chosen: Record<string, ProductForm> = {};
  const [family, before] = [device.family, device.tuning];
  try {
    for (const [i, each] of shapes.entries()) {
      const name = productClass(each);
      progress(`timing kernels for products ${i + 1}/${shapes.length}: ${name}`);
      const { usual, forms, best } = await timeForms(device, each);
      if (best) chosen[name] = best;
      products.push({
        product: name,
        usual,
        forms: forms.map(({ form, milliseconds }) => ({ form: formName(form), milliseconds })),
        chosen: best ? formName(best) : null,
      });
    }
  } finally {
    device.tuning = before;
  }
  return { tuning: { family, products: chosen }, products };
}

async function timeForms(device: Device, each: ProductShape) {
  const clock = device.isSoftware ? processorTime : () => performance.now();
  const { m, k, n, transposed } = each;
  const [left, right] = [transposed ? randn([k, m], { device }).transpose(0, 1) : randn([m, k], { device }), randn([k, n], { device })];
  device.tuning = undefined;
  const usualLaunches = launchesOf(device, () => left.matmul(right));
  const candidates: (ProductForm | undefined)[] = [undefined];
  for (const form of productForms(device)) {
    device.tuning = { family: device.family, products: { [productClass(each)]: form } };
    if (launchesOf(device, () => left.matmul(right)) !== usualLaunches) candidates.push(form); // one of them is the usual kernel itself
  }
  const run = async (form: ProductForm | undefined, count: number): Promise<number> => {
    device.tuning = form && { family: device.family, products: { [productClass(each)]: form } };
    const began = clock();
    for (let i = 0; i < count; i++) left.matmul(right).storage.release();
    await device.synchronize();
    return (clock() - began) / count;
  };
  for (const form of candidates) await run(form, 1); // compiles
  const count = Math.max(1, Math.min(200, Math.round(TURN / (await run(undefined, 1)))));
  const times: number[][] = candidates.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < candidates.length; i++) {
      const at = (i + round) % candidates.length;
      times[at]!.push(await run(candidates[at], count));
    }
  }
  for (const tensor of [left, right] as Tensor[]) tensor.storage.release();
  const [usual, ...others] = times as [number[], ...number[][]];
  const forms = others.map((own, i) => {
    const ratios = own.map((time, round) => time / usual[round]!).sort((a, b) => a - b); // what slows the machine down slows both of a round
    const isWorthIt = median(ratios) < WORTH_IT.middle && ratios.at(-2)! < WORTH_IT.nearlyAll;
    return { form: candidates[i + 1]!, milliseconds: median(own), ratio: median(ratios), isWorthIt };
  });
  const best = forms.filter(({ isWorthIt }) => isWorthIt).sort((a, b) => a.ratio - b.ratio)[0];
  return { usual: median(usual), forms, best: best?.form };
}

/** Milliseconds of all cores that this process has taken: a software adapter's work, which other programs disturb less than they do the time. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** What some work launches, in words. */
function launchesOf(device: Device, work: () => unknown): string {
  const names: string[] = [];
  device.record({ command: ({ kernel, workgroups }) => void names.push(`${kernel.name} ${workgroups}`), effect: () => {} }, work);
  device.tuning = undefined;
  return names.join("\n");
}
