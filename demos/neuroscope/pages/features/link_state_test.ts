import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstSettings } from "../../engine/opening.ts";
import { settingsOf } from "../write/write_settings.ts";
import {
  LARGEST_MULTIPLE,
  readScope,
  readSteer,
  type ScopeState,
  type SteerState,
  sliderToTimes,
  timesToSlider,
  writeScope,
  writeSteer,
} from "./link_state.ts";

/** A link's parameters after changes. */
function linked(changes: Record<string, string | number | null>): URLSearchParams {
  return new URLSearchParams(Object.entries(changes).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])));
}

const number = fc.integer({ min: 0, max: 999 });
const text = fc.string({ unit: fc.constantFrom(..."abc é&=#/?,:"), maxLength: 8 });
const temperature = fc.integer({ min: 0, max: 15 }).map((tenths) => tenths / 10);
const topK = fc.integer({ min: 0, max: 100 });

const scope: fc.Arbitrary<ScopeState> = fc.record({
  text,
  source: fc.constantFrom("model", "hand", "drawn"),
  seed: number,
  temperature,
  topK,
  drawn: fc.array(fc.integer({ min: 0, max: 524 }), { maxLength: 12 }),
  by: fc.constantFrom("specific", "size", "quantile", "loss"),
  show: fc.constantFrom("theta", "r", "max"),
  scale: fc.constantFrom("own", "shared"),
  smooth: fc.boolean(),
  pins: fc.uniqueArray(number, { maxLength: 3 }),
  feature: fc.option(number),
  segment: fc.option(number),
});

const steering: fc.Arbitrary<SteerState> = fc.record({
  text,
  seed: number,
  temperature,
  topK,
  held: fc.uniqueArray(fc.record({ feature: number, times: fc.integer({ min: -1000, max: 1000 }).map((n) => n / 100) }), {
    maxLength: 5,
    selector: ({ feature }) => feature,
  }),
  reach: fc.constantFrom("firing", "everywhere"),
  ghost: fc.boolean(),
  smooth: fc.boolean(),
});

describe("links", () => {
  it("bring back all of the scope", () => {
    fc.assert(
      fc.property(scope, (state) => {
        expect(readScope(linked(writeScope(state)))).toEqual(state);
      }),
    );
  });

  it("bring back all of the steering", () => {
    fc.assert(
      fc.property(steering, (state) => {
        expect(readSteer(linked(writeSteer(state)))).toEqual(state);
      }),
    );
  });

  it("mean the same ink on every page", () => {
    fc.assert(
      fc.property(fc.record({ text, seed: number, temperature, topK }), (writing) => {
        const link = linked(writeScope(writing));
        for (const read of [settingsOf, readScope, readSteer]) expect(read(link)).toMatchObject(writing);
      }),
    );
    for (const read of [settingsOf, readScope, readSteer]) expect(read(new URLSearchParams())).toMatchObject(firstSettings);
  });

  it("leave out what was not changed, and take out what is usual", () => {
    expect(writeScope({ feature: 18 })).toEqual({ f: 18 });
    expect(writeScope({ feature: null, ...firstSettings, source: "model", pins: [] })).toEqual({
      ...{ f: null, ink: null, pins: null },
      ...{ text: null, seed: null, temperature: null, topK: null },
    });
  });

  it("may hold anything without harm", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom("text", "ink", "seed", "temperature", "topK", "drawn", "by", "show", "scale", "pins", "f", "seg", "hold"),
            fc.string(),
          ),
        ),
        (pairs) => {
          const state = readScope(new URLSearchParams(pairs));
          const { held } = readSteer(new URLSearchParams(pairs));
          expect(Number.isInteger(state.seed) && state.pins.length <= 3 && state.drawn.every((token) => token >= 0)).toBe(true);
          expect(held.every(({ times }) => Math.abs(times) <= LARGEST_MULTIPLE)).toBe(true);
        },
      ),
    );
  });
});

describe("the slider", () => {
  it("goes from minus to plus the largest multiple by way of 0, and back to where it stood", () => {
    expect([-1, 0, 1].map(sliderToTimes)).toEqual([-LARGEST_MULTIPLE, 0, LARGEST_MULTIPLE]);
    for (const position of [-0.9, -0.3, 0.05, 0.29, 0.7]) expect(timesToSlider(sliderToTimes(position))).toBeCloseTo(position, 2);
    expect(sliderToTimes(timesToSlider(1))).toBe(1);
  });
});
