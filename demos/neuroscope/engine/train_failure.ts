import { DeviceError, DeviceLostError, OutOfMemoryError } from "@cursive/tensor";
import type { TrainConfig } from "./train_config.ts";
import { NotFiniteError } from "./train_session.ts";

/** Why a run stopped or cannot be saved, in words for people. */
export interface TrainFailure {
  readonly kind: "lost" | "memory" | "numbers" | "storage" | "gpu" | "other";
  readonly text: string;
  /** The saved run that can be opened instead. */
  readonly id?: string;
}

/** What is known of the run that an error is of. */
export interface FailedRun {
  readonly config?: TrainConfig | undefined;
  readonly savedStep?: number | undefined;
  readonly id?: string | undefined;
}

/** Says what happened, and what to do about it. */
export function explainTrainFailure(error: unknown, { config, savedStep, id }: FailedRun = {}): TrainFailure {
  const message = error instanceof Error ? error.message : String(error);
  const isSaved = savedStep !== undefined && savedStep >= 0 && Number.isFinite(savedStep);
  const saved = isSaved ? ` Step ${savedStep.toLocaleString("en")} is saved.` : "";
  const failure = (kind: TrainFailure["kind"], text: string): TrainFailure => ({ kind, text, ...(isSaved && id && { id }) });
  if (error instanceof DeviceLostError)
    return failure("lost", `The GPU was lost again and again.${saved} Close other tabs that use it, then open the run again.`);
  if (error instanceof OutOfMemoryError || /out of memory|Array buffer allocation failed/i.test(message))
    return failure("memory", `There is not enough memory: reduce ${whatToReduce(config)}.${saved} (${message})`);
  if (error instanceof NotFiniteError)
    return failure("numbers", `${message}. A lower learning rate may help: open the saved run and turn it down.${saved}`);
  if ((error as DOMException | undefined)?.name === "QuotaExceededError")
    return failure("storage", "The browser has no more room to save this run. Delete saved runs, or save it to a file. Training goes on.");
  return failure(error instanceof DeviceError ? "gpu" : "other", message);
}

function whatToReduce(config: TrainConfig | undefined): string {
  if (config?.kind === "model") return "the batch, the layers or the width";
  if (config && "sequences" in config.plan.data.batch) return "the sequences, or the features";
  return "the rows a step, or the features";
}
