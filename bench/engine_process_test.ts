import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { EngineProcess } from "./engine_process.ts";

const program = fileURLToPath(new URL("./testing/fake_engine.mjs", import.meta.url));
const fake = (...options: string[]): EngineProcess => new EngineProcess({ command: process.execPath, args: [program, ...options] });
const soon = { seconds: 20 };

describe("EngineProcess", () => {
  it("hears of the first step, takes steps, and ends", async () => {
    const engine = fake("ms=2", "loss=3");
    expect(await engine.ready(soon)).toEqual({ adapter: "fake", versions: { fake: "1.0" }, loss: 3, check: null });
    expect(await engine.steps(5, soon)).toMatchObject({ milliseconds: 10, loss: 3, counts: { dispatches: 3 } });
    expect(await engine.host(2, soon)).toBe(12);
    await engine.stop();
    await expect(engine.steps(1, soon)).rejects.toThrow();
  });

  it("tells what an engine said last before it fell over", async () => {
    await using engine = fake("crash=start");
    await expect(engine.ready(soon)).rejects.toThrow("Error: no such thing");
  });

  it("tells why an engine cannot", async () => {
    await using engine = fake("fail=start");
    await expect(engine.ready(soon)).rejects.toThrow("out of something");
  });

  it("waits no longer than it may, and leaves nothing running", async () => {
    const engine = fake("hang=1");
    await engine.ready(soon);
    await expect(engine.steps(1, { seconds: 0.2 })).rejects.toThrow(/^not within 0 s$/);
    await engine.stop();
  });

  it("tells that there is no such program", async () => {
    await using engine = new EngineProcess({ command: "/no/such/program", args: [] });
    await expect(engine.ready(soon)).rejects.toThrow("ENOENT");
  });

  it("ends at once when killed", async () => {
    const engine = fake("hang=1");
    await engine.ready(soon);
    const waiting = engine.steps(1, soon);
    engine.kill();
    await expect(waiting).rejects.toThrow();
    await engine.stop();
  });
});
