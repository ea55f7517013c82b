import { type StrokeColumns, StrokeTokenizer, strokeColumns, strokeTokenClasses, writeCursive } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { strokeFactors } from "./stroke_factors.ts";
import { Tuning } from "./tuning.ts";

describe("strokeFactors", () => {
  it("lets latents of handwriting be labelled by what they are about", () => {
    const rng = createRng(1, "words");
    const tokenizer = new StrokeTokenizer();
    const texts = ["minimum", "dilute", "hello", "axis", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "writing"];
    const columns = texts.map((text) => strokeColumns(tokenizer.encodeStrokes(writeCursive(text, { rng }).points), { tokenizer }));
    const joined = (name: keyof StrokeColumns) => columns.flatMap((column) => Array.from(column[name]));
    const rows = { theta: joined("theta"), length: joined("length"), pen: joined("pen"), place: joined("place"), token: joined("token") };
    const tuning = new Tuning(strokeFactors(rows, { tokens: strokeTokenClasses }));
    const labelOf = (fires: (row: number) => boolean) => {
      const chosen = rows.theta.map((_, row) => row).filter(fires);
      return tuning.of({ rows: chosen, activations: chosen.map(() => 1) }).label;
    };
    expect(labelOf((row) => Math.cos(rows.theta[row]! - (100 * Math.PI) / 180) > 0.95)).toMatch(/^theta (9\d|10\d)° ± \d\d?/);
    expect(labelOf((row) => rows.token[row] === 0)).toBe("at directions");
    expect(labelOf((row) => rows.token[row] === 2)).toMatch(/^(?!.*pen up).*at pen-up lengths/); // "pen up" would say nothing more
    expect(labelOf((row) => rows.place[row]! < 0.1)).toMatch(/place 0\.0\d+ to 0\.0\d+/);
    expect(labelOf(() => rng.uniform() < 0.1)).toBeNull();
  });

  it("leaves out what has no column", () => {
    expect(strokeFactors({ letter: [1] }, { letters: ["", "a"] })).toEqual([
      { name: "letter", kind: "class", values: [1], labels: ["", "a"] },
    ]);
  });
});
