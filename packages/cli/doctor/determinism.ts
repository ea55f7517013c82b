import type { Device } from "@cursive/tensor";
import { repeatTraining } from "@cursive/tensor/self_test";
import { oneLine } from "../errors.ts";
import type { Finding } from "./finding.ts";
import { otherDriver } from "./gpu/other_driver.ts";

/** Whether training steps give the same bits when they are taken again, captured and eagerly: what resuming a run relies on. */
export async function checkDeterminism(device: Device): Promise<Finding> {
  const about = { id: "arithmetic.bits", name: "same bits again" } as const;
  try {
    const { steps, ...data } = await repeatTraining(device);
    const isSame = data.differingAgain + data.differingEagerly === 0;
    const found = isSame
      ? `${steps} captured training steps, taken twice, and eagerly: ${data.numbers} numbers, all the same`
      : `of ${data.numbers} numbers ${data.differingAgain} differ at a second run, ${data.differingEagerly} without capture`;
    return { ...about, status: isSame ? "ok" : "fail", found, ...(!isSame && { fix: otherDriver(device) }), data };
  } catch (error) {
    return { ...about, status: "fail", found: oneLine(error).slice(0, 300), fix: otherDriver(device) };
  }
}
