import { describe, expect, it } from "vitest";
import { firstSettings } from "../../engine/opening.ts";
import { againText, ranges, seedAgain, settingsOf } from "./write_settings.ts";

describe("settingsOf()", () => {
  it("is as usual where the link says nothing, or nonsense", () => {
    const usual = settingsOf(new URLSearchParams());
    expect(usual).toMatchObject({ ...firstSettings, speed: 1, withoutText: false, smooth: true });
    expect(settingsOf(new URLSearchParams("seed=-1&temperature=hot&topK=1e9&width=&again=x:y,0:-2"))).toEqual(usual);
  });

  it("reads every setting from a link", () => {
    const link = "text=pen&seed=11&temperature=0&topK=0&off=1&again=2:1,4:3&speed=2&width=20&slant=-10&smooth=0";
    const settings = settingsOf(new URLSearchParams(link));
    expect(settings).toMatchObject({
      text: "pen",
      seed: 11,
      temperature: 0,
      topK: 0,
      withoutText: true,
      speed: 2,
      width: 20,
      slant: -10,
      smooth: false,
    });
    expect(againText(settings.again)).toBe("2:1,4:3");
  });

  it("has usual values within their ranges", () => {
    for (const { least, most, usual } of Object.values(ranges)) expect(usual >= least && usual <= most).toBe(true);
  });
});

describe("seedAgain()", () => {
  it("gives other seeds for each time, which stay in 32 bits", () => {
    const seeds = Array.from({ length: 1000 }, (_, times) => seedAgain(7, times));
    expect(new Set(seeds).size).toBe(1000);
    expect(seeds[0]).toBe(7);
    expect(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)).toBe(true);
  });
});
