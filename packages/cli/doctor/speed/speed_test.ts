import { type Device, full, openDevice } from "@cursive/tensor";
import { shortestTime } from "@cursive/tensor/self_test";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Finding } from "../finding.ts";
import { boundOf, boundOfStep, checkSpeed, digits } from "./speed.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

describe("boundOf()", () => {
  const speeds = { best: 1000, memory: { megabytes: 1, copy: 100, sum: 100 }, latency: { launch: 50, capturedLaunch: 10, readback: 1 } };
  const product = { shape: "64³", milliseconds: 5, gigaflops: 500, flopsPerByte: 40 };

  it("is the roofline's: memory below the arithmetic that its speed can feed, compute above, launches where they are all there is", () => {
    expect(boundOf(product, speeds)).toBe("compute");
    expect(boundOf({ ...product, flopsPerByte: 9 }, speeds)).toBe("memory");
    expect(boundOf({ ...product, milliseconds: 0.09 }, speeds)).toBe("launches");
  });

  it("of a step is what takes most of its time", () => {
    expect(boundOfStep({ compute: 0.7, launches: 0.1 })).toBe("compute");
    expect(boundOfStep({ compute: 0.1, launches: 0.6 })).toBe("launches");
    expect(boundOfStep({ compute: 0.2, launches: 0.2 })).toBe("memory");
  });
});

describe("digits()", () => {
  it("keeps two digits that count", () => {
    expect([0.0712, 3.44, 11.7, 117.3, 12_345].map(digits)).toEqual(["0.071", "3.4", "12", "117", "12,345"]);
  });
});

describe("shortestTime()", () => {
  it("is in proportion to the work", async () => {
    const x = full([1 << 16], 1, { device });
    const sums = (count: number) => () => {
      for (let i = 0; i < count; i++) x.sum().storage.release();
    };
    const one = await shortestTime(device, { launch: sums(1), budget: 100 });
    const ten = await shortestTime(device, { launch: sums(10), budget: 100 });
    expect(ten / one).toBeGreaterThan(3); // other programs share the processor, so by no means exactly ten
    expect(ten / one).toBeLessThan(40);
  });
});

describe("checkSpeed()", () => {
  it("times products, memory, launches and a real training step, all above 0", async () => {
    const found = new Map<string, Finding>();
    await checkSpeed(device, { progress: () => {}, emit: (finding) => void found.set(finding.id, finding) });
    expect([...found.keys()]).toEqual(["speed.matmul", "speed.memory", "speed.launches", "speed.training"]);
    expect([...found.values()].every(({ status }) => status === "ok")).toBe(true);
    const { products } = found.get("speed.matmul")!.data as { products: { gigaflops: number }[] };
    expect(products.length).toBeGreaterThan(2);
    for (const { gigaflops } of products) expect(gigaflops).toBeGreaterThan(0.01);
    expect(found.get("speed.training")!.data).toMatchObject({
      milliseconds: expect.any(Number),
      dispatches: expect.any(Number),
      steps: 3000,
    });
    expect(found.get("speed.training")!.found).toMatch(/ms a step of tiny, bound by (compute|memory|launches); its 3000 steps: [\d:]+$/);
  });

  it("makes a failure of a training step that cannot be taken, and no crash", async () => {
    const found: Finding[] = [];
    const emit = (finding: Finding): void => {
      found.push(finding);
      if (finding.id === "speed.launches") device.destroy(); // lost on the way
    };
    await checkSpeed(device, { progress: () => {}, emit });
    expect(found.at(-1)).toMatchObject({ id: "speed.training", status: "fail", fix: expect.any(String) });
    device = await openDevice();
  });
});
