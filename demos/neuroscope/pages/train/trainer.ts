import { startWorker } from "../../app/start_worker.ts";
import { TrainClient } from "../../engine/train_client.ts";

/** The app's own trainer: a worker with a GPU device of its own, so that writing goes on beside it. It outlives the page. */
export const trainer: TrainClient = new TrainClient({
  makeWorker: () => startWorker("train_worker.js", { name: "trainer" }),
});

// As long as the tab is there, whatever page is shown: a run goes on behind the others.
globalThis.addEventListener?.("beforeunload", (event) => {
  if (trainer.isUnsaved) event.preventDefault();
});
