import { TrainClient } from "../../engine/train_client.ts";

/** The app's own trainer: a worker with a GPU device of its own, so that writing goes on beside it. It outlives the page. */
export const trainer: TrainClient = new TrainClient({
  makeWorker: () => new Worker("train_worker.js", { type: "module", name: "trainer" }),
});
