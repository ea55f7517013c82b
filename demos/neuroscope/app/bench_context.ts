import { type Context, createContext } from "preact";
import { useContext } from "preact/hooks";
import { BenchClient } from "../engine/client.ts";
import { startWorker } from "./start_worker.ts";

/** The app's own engine: one worker, one GPU device. */
const bench = new BenchClient({
  makeWorker: () => startWorker("worker.js", { name: "engine" }),
  assets: new URL("assets/", globalThis.document?.baseURI ?? "http://localhost/").href,
});

/** The engine that components below use. */
export const BenchContext: Context<BenchClient> = createContext(bench);

/** The engine: its status, the adapter, the model and the autoencoder as signals, and its calls. */
export function useBench(): BenchClient {
  return useContext(BenchContext);
}
