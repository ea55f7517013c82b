import { describe, expect, it } from "vitest";
import { decodeReply, encodeReply, encodeRequest, orNull, type Reply } from "./protocol.ts";

describe("the lines between bench and engines", () => {
  it("carry replies unharmed, one a line", () => {
    const replies: Reply[] = [
      { ready: { adapter: "a\nb", versions: { v: "1" }, loss: 0.1, check: null } },
      { steps: { milliseconds: 12.5, cpuMilliseconds: 20, loss: null, counts: null } },
      { host: { microseconds: 3 } },
      { failed: 'something "quoted"\nover lines' },
    ];
    for (const reply of replies) {
      const line = encodeReply(reply);
      expect(line.match(/\n/g)).toHaveLength(1);
      expect(decodeReply(line.trimEnd())).toEqual(reply);
    }
  });

  it("pass over what a library prints", () => {
    expect(decodeReply("Hi there! Looks like you are running TensorFlow.js in Node.js")).toBeUndefined();
    expect(decodeReply('{"steps":{}}')).toBeUndefined();
    expect(decodeReply("")).toBeUndefined();
  });

  it("tell of a reply that was cut off", () => {
    expect(decodeReply('@bench {"steps":{"mil')).toEqual({ failed: expect.stringContaining("Expected a reply but found") });
  });

  it("carry requests as JSON", () => {
    expect(encodeRequest({ do: "steps", count: 3 })).toBe('{"do":"steps","count":3}\n');
  });

  it("have null where there is no number", () => {
    expect([orNull(Number.NaN), orNull(undefined), orNull(0)]).toEqual([null, null, 0]);
  });
});
