export { apply, applyAll, enableGrad, isGradEnabled, noGrad } from "./autograd/apply.ts";
export { type GradientHook, gradientHook } from "./autograd/gradient_hook.ts";
export type { GradientContext, Op } from "./autograd/node.ts";
export { type CapturedStep, type CaptureOptions, capture, type PlanCost, type StepInput, type StepOutput } from "./capture/capture.ts";
export { canTime, type Span } from "./capture/clocked_run.ts";
export type { LaunchCost } from "./capture/launch_cost.ts";
export type { LaunchTime } from "./capture/profile.ts";
export { busyShare, StepWatch, type WatchedStep } from "./capture/step_watch.ts";
export * from "./create.ts";
export { Device, type KernelFamily } from "./device/device.ts";
export type { CompileProgress } from "./device/kernel.ts";
export { storageClock } from "./device/memory.ts";
export { currentDevice, type OpenDeviceOptions, openDevice } from "./device/open.ts";
export { formName, type ProductForm, type ProductShape, productClass, productForms, type Tuning } from "./device/tuning.ts";
export * from "./errors.ts";
export type { HostTensor } from "./io/host_tensor.ts";
export * from "./io/safetensors.ts";
export { TorchFileError } from "./io/torch_file_error.ts";
export { isHostTensor, readTorchFile, type TorchValue, torchStateDict } from "./io/torch_pickle.ts";
export type { Gradients } from "./nn/backward_hook.ts";
export { type HookHandle, type HookOptions, runHook } from "./nn/hook.ts";
export * from "./nn/layers.ts";
export * from "./nn/module.ts";
export { nearest } from "./nn/nearest.ts";
export { Parameter } from "./nn/parameter.ts";
export { type KeyValue, KeyValueCache, type KeyValueCacheOptions } from "./ops/attention/key_value_cache.ts";
export { type AttentionOptions, scaledDotProductAttention } from "./ops/attention.ts";
export { full } from "./ops/copy.ts";
export { type CrossEntropyOptions, crossEntropy, type Reduction } from "./ops/cross_entropy.ts";
export { embedding } from "./ops/embedding.ts";
export { type FeedForwardOptions, feedForward, type LinearParameters } from "./ops/feed_forward.ts";
export { packFloat16, unpackFloat16 } from "./ops/float16.ts";
export { cat, type Padding, type PadOptions, stack } from "./ops/join.ts";
export { type JumpReluOptions, type JumpReluSums, type JumpReluSumsOptions, jumpRelu, jumpReluSums } from "./ops/jump_relu.ts";
export { type KeepOptions, keepBatchTopk, keepTopk } from "./ops/keep_topk.ts";
export { type LayerNormOptions, layerNorm } from "./ops/layer_norm.ts";
export { type LinearOptions, linear } from "./ops/linear.ts";
export { matmul } from "./ops/matmul.ts";
export { type MseLossOptions, mseLoss } from "./ops/mse_loss.ts";
export {
  bernoulli,
  defaultGenerator,
  Generator,
  manualSeed,
  multinomial,
  type RandomOptions,
  rand,
  randint,
  randn,
  randperm,
  uniform,
} from "./ops/random.ts";
export type { ReduceOptions } from "./ops/reduce.ts";
export {
  type ReluAutoencoder,
  type ReluAutoencoderOptions,
  type ReluAutoencoderParameters,
  reluAutoencoder,
} from "./ops/relu_autoencoder.ts";
export { type ReluSums, reluSums } from "./ops/relu_sums.ts";
export { type LayerNormParameters, type RowLinearOptions, RowProgram, type RowVector } from "./ops/row_program/row_program.ts";
export { normalizeRows, rejectRows } from "./ops/unit_rows.ts";
export { where } from "./ops/where.ts";
export { Adam, type AdamOptions, AdamW } from "./optim/adam.ts";
export { Optimizer, type OptimizerOptions, type OptimizerState } from "./optim/optimizer.ts";
export { CosineLR, LambdaLR, LinearLR, StepLR } from "./optim/schedule.ts";
export { SGD, type SgdOptions } from "./optim/sgd.ts";
export * from "./random/philox.ts";
export * from "./random/portable_math.ts";
export { Tensor } from "./tensor.ts";
