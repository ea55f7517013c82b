import { expose } from "comlink";
import { describe, expect, it, vi } from "vitest";
import { TrainClient } from "./train_client.ts";
import type { TrainEvent } from "./train_host.ts";
import type { TrainWorker } from "./train_worker.ts";

/** A client whose worker is the other end of a channel in this thread. */
function clientOf(connect: TrainWorker["connect"]): TrainClient {
  const makeWorker = (): Worker => {
    const { port1, port2 } = new MessageChannel();
    expose({ connect }, port2);
    return Object.assign(port1, { terminate: () => port1.close() }) as unknown as Worker;
  };
  return new TrainClient({ makeWorker });
}

describe("TrainClient", () => {
  it("takes the curves of a long run at once, and keeps rows that have not changed", async () => {
    let tell: (event: TrainEvent) => void = () => {};
    const client = clientOf(async (listen) => {
      tell = listen;
      return "memory";
    });
    await client.connect();
    const length = 300_000;
    tell({ type: "points", from: 0, rows: Array.from({ length }, (_, i) => [i, 1]) });
    await vi.waitFor(() => expect(client.curves.value.rows).toHaveLength(length), { timeout: 30_000 });
    const before = [...client.curves.value.rows];
    tell({ type: "points", from: length - 1, rows: [[length - 1, 2], [length, 3]] }); // biome-ignore format: pairs
    await vi.waitFor(() => expect(client.curves.value.rows).toHaveLength(length + 1), { timeout: 30_000 });
    expect(client.curves.value.rows.slice(-2)).toEqual([[length - 1, 2], [length, 3]]); // biome-ignore format: pairs
    expect(client.curves.value.rows[length - 2]).toBe(before[length - 2]);
  });

  it("starts its worker anew after one that could not be connected", async () => {
    let attempts = 0;
    const client = clientOf(async () => {
      if (attempts++ === 0) throw new Error("storage is shut");
      return "opfs";
    });
    await expect(client.connect()).rejects.toThrow("storage is shut");
    expect(client.status.value).toMatchObject({ state: "failed", failure: { text: "storage is shut" } });
    await client.connect();
    expect(attempts).toBe(2);
  });
});
