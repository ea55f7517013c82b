import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Recording } from "../capture/recording.ts";
import { tensor, zeros } from "../create.ts";
import type { Tensor } from "../tensor.ts";
import { seededValues } from "../testing/mod.ts";
import type { Device, KernelFamily } from "./device.ts";
import { openDevice } from "./open.ts";
import { formName, type ProductForm, productClass, productForms } from "./tuning.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const at = (m: number, k: number, n: number, transposed = false) => ({ m, k, n, transposed });

/** Runs something with another family, and forms for some classes. */
function tuned<T>(about: { family: KernelFamily; products?: Readonly<Record<string, ProductForm>> }, work: () => T): T {
  const own = device.family;
  device.family = about.family;
  if (about.products) device.tuning = { family: about.family, products: about.products };
  try {
    return work();
  } finally {
    device.family = own;
    device.tuning = undefined;
  }
}

/** The kernels that some work launches. */
function kernelsOf(work: () => unknown): string[] {
  const recording = new Recording();
  device.record(recording, work);
  return recording.commands.map((command) => command.kernel.name);
}

describe("productClass()", () => {
  it("puts sizes within a factor of √2 of a power of two together, and tells layouts apart", () => {
    expect(productClass(at(2048, 64, 256))).toBe("2048×64×256");
    expect(productClass(at(2000, 64, 192))).toBe("2048×64×256");
    expect(productClass(at(64, 2048, 64, true))).toBe("64×2048×64ᵀ");
    expect(productClass(at(1, 1, 1))).toBe("1×1×1");
  });
});

describe("a tuning", () => {
  const [a, b] = [() => zeros([200, 64]), () => zeros([64, 256])];

  it("decides the kernel of the products that it names, and of no others", () => {
    const products = { [productClass(at(200, 64, 256))]: { family: "tile", rows: 8 } } as const;
    tuned({ family: "tile", products }, () => {
      const [x, y] = [a(), b()];
      expect(kernelsOf(() => x.matmul(y))).toEqual([expect.stringMatching(/^gemm_tile\.main TM=8 /)]);
      const wide = zeros([64, 700]);
      expect(kernelsOf(() => x.matmul(wide))).not.toContainEqual(expect.stringContaining("TM=8"));
    });
  });

  it("says nothing to a device with other kernels than those it was made for", () => {
    const [x, y] = [a(), b()];
    const usual = tuned({ family: "portable" }, () => kernelsOf(() => x.matmul(y)));
    device.tuning = { family: "tile", products: { [productClass(at(200, 64, 256))]: { family: "tile", rows: 2 } } };
    expect(tuned({ family: "portable" }, () => kernelsOf(() => x.matmul(y)))).toEqual(usual);
  });

  it("leaves every product within its error bound, whatever the form, sizes and layout", async () => {
    for (const family of ["panel", "tile"] as const) {
      const forms = tuned({ family }, () => productForms(device));
      if (family === "panel" && !device.hasFamily("panel")) continue;
      expect(new Set(forms.map(formName)).size).toBe(3);
      for (const form of forms) {
        await fc.assert(
          fc.asyncProperty(
            fc.record({
              m: fc.integer({ min: 1, max: 70 }),
              k: fc.integer({ min: 1, max: 300 }),
              n: fc.integer({ min: 1, max: 70 }),
              flip: fc.boolean(),
              seed: fc.nat(),
            }),
            async ({ m, k, n, flip, seed }) => {
              const values = (shape: number[], stream: number): Float32Array<ArrayBuffer> =>
                Float32Array.from(seededValues(seed + stream, shape).data);
              const [left, right] = [values([m, k], 0), values([k, n], 1)];
              const x: Tensor = flip ? tensor(transposed(left, m, k), { shape: [k, m] }).transpose(0, 1) : tensor(left, { shape: [m, k] });
              const y = tensor(right, { shape: [k, n] });
              const products = { [productClass(at(m, k, n, flip && m > 1))]: form, [productClass(at(m, k, n, false))]: form };
              const out = await tuned({ family, products }, () => x.matmul(y)).data();
              for (let i = 0; i < m; i++)
                for (let j = 0; j < n; j++) {
                  let [sum, size] = [0, 0];
                  for (let l = 0; l < k; l++) {
                    const term = left[i * k + l]! * right[l * n + j]!;
                    sum += term;
                    size += Math.abs(term);
                  }
                  if (!(Math.abs(out[i * n + j]! - sum) <= 2 * (k + 1) * 2 ** -24 * size + 1e-30))
                    throw new Error(`${formName(form)} ${m}×${k}×${n}: ${out[i * n + j]} is not ${sum}`);
                }
            },
          ),
          { numRuns: 12 },
        );
      }
    }
  }, 240_000);

  it("gives the same bits again", async () => {
    const [x, y] = [
      tensor(Float32Array.from(seededValues(1, [300, 130]).data), { shape: [300, 130] }),
      tensor(Float32Array.from(seededValues(2, [130, 70]).data), { shape: [130, 70] }),
    ];
    for (const form of productForms(device)) {
      const about = { family: device.family, products: { [productClass(at(300, 130, 70))]: form } };
      const [one, two] = [await tuned(about, () => x.matmul(y)).data(), await tuned(about, () => x.matmul(y)).data()];
      expect(one).toEqual(two);
    }
  });
});

function transposed(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j]!;
  return out;
}
