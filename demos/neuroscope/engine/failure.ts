/** Why the engine cannot be used. The first four are told apart because what helps is different. */
export type FailureKind = "insecure" | "no-webgpu" | "no-adapter" | "lost" | "memory" | "file" | "network" | "other";

/** A failure, as the page tells it. */
export interface Failure {
  readonly kind: FailureKind;
  /** What the machine said. */
  readonly detail: string;
}

/** What a page must have before it is worth starting the engine; `undefined` where nothing is missing. */
export function missingWebGpu(scope: {
  readonly isSecureContext?: boolean;
  readonly navigator?: { readonly gpu?: unknown };
}): Failure | undefined {
  if (scope.isSecureContext === false) return { kind: "insecure", detail: "window.isSecureContext is false" };
  if (!scope.navigator?.gpu) return { kind: "no-webgpu", detail: "navigator.gpu is missing" };
  return undefined;
}

/** The kind of an error that the engine threw, by its name: across a worker's border that is all that is left of its class. */
export function failureOf(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  const kinds: Record<string, FailureKind> = {
    DeviceLostError: "lost",
    OutOfMemoryError: "memory",
    ForeignFileError: "file",
    SaeFormatError: "file",
    SafetensorsError: "file",
    TypeError: "network",
  };
  if (name === "DeviceError" && /adapter/.test(message)) return { kind: "no-adapter", detail: message };
  if (name === "DeviceError" && /navigator\.gpu|secure context/.test(message)) return { kind: "no-webgpu", detail: message };
  return { kind: kinds[name] ?? "other", detail: message };
}
