/** Limits that decide what runs. */
export const limitNames = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** See {@link limitNames}. */
export type Limits = Readonly<Record<(typeof limitNames)[number], number>>;

/** What the kernels are written for, whatever they compute: within what WebGPU promises of every adapter. Bytes, bindings, invocations. */
export const engineNeeds: Omit<Limits, "maxBufferSize" | "maxStorageBufferBindingSize"> = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
};
