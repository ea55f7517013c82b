import { map, oracle, seededValues } from "../../testing/float64.ts";
import { agreement, type KernelCheck, upload } from "./kernel_check.ts";

const wide = map(seededValues(1, [999]), (v) => Math.fround(v * 2 ** 24));
const cube = seededValues(2, [9, 14, 11]);

/** Conversions between floats and integers, and copies of tensors that lie otherwise in memory. All exact. */
export const conversionCheck: KernelCheck = {
  id: "conversion",
  name: "copies, conversions",
  cases: [
    agreement({ launch: (device) => upload(wide, device).to("i32"), exact: () => map(wide, Math.trunc), bound: () => 0 }),
    agreement({
      launch: (device) => upload(wide, device).to("i32").to("f32"),
      exact: () => map(wide, (v) => Math.fround(Math.trunc(v))),
      bound: () => 0,
    }),
    agreement({ launch: (device) => upload(wide, device).to("bool"), exact: () => map(wide, (v) => Number(v !== 0)), bound: () => 0 }),
    agreement({
      launch: (device) => upload(cube, device).permute([2, 0, 1]).contiguous(),
      exact: () => oracle.permute(cube, [2, 0, 1]),
      bound: () => 0,
    }),
    agreement({
      launch: (device) =>
        upload(cube, device)
          .slice([[1, 8, 2], [], [3, 11]])
          .contiguous(),
      exact: () => oracle.slice(cube, [[1, 8, 2], [], [3, 11]]),
      bound: () => 0,
    }),
  ],
};
