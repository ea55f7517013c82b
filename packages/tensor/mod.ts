export { apply, applyAll, enableGrad, isGradEnabled, noGrad } from "./autograd/apply.ts";
export * from "./create.ts";
export { Device } from "./device/device.ts";
export { currentDevice, openDevice } from "./device/open.ts";
export * from "./errors.ts";
export { full } from "./ops/copy.ts";
export * from "./random/philox.ts";
export { Tensor } from "./tensor.ts";
