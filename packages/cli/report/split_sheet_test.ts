import { type InkSheetItem, inkSheet } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import type { SheetWord } from "./report_data.ts";
import { splitSheet } from "./split_sheet.ts";

const items: InkSheetItem[] = [
  {
    ink: [
      [0, 0, 1],
      [0.2, -0.1, 1],
      [0.4, 0.05, 0],
    ],
    caption: 'a<&"b',
  },
  { ink: [], caption: "empty" },
  {
    ink: [
      [0, 0, 1],
      [-0.5, 0.3, 1],
    ],
    caption: "</script>",
  },
];

describe("splitSheet()", () => {
  it.each([true, false])("takes a sheet apart into words with their captions and the room they need", (smooth) => {
    const svg = inkSheet(items, { smooth, background: "white", scale: 300, title: "Written by the model" });
    const { words } = splitSheet(svg) as { words: SheetWord[] };
    expect(words.map(({ caption }) => caption)).toEqual(['a<&"b', "empty", "</script>"]);
    expect(words[0]!.box[0]).toBeLessThan(0);
    expect(words[0]!.box[2]).toBeGreaterThan(0.2);
    expect(words[2]!.box.map((side) => Math.round(10 * side) / 10)).toEqual([-0.5, -0, 0, 0.3]);
    for (const { body } of words) expect(svg).toContain(body);
  });

  it("leaves other pictures whole", () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><text x="1">hello</text></svg>';
    expect(splitSheet(svg)).toEqual({ svg });
  });
});
