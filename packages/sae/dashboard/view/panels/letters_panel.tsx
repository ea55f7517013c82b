import type { VNode } from "preact";
import type { LetterAttribution } from "../../feature_pages.ts";
import { BarChart } from "../charts/bar_chart.tsx";
import { BarTable } from "../charts/bar_table.tsx";
import { ChartFigure } from "../charts/chart_figure.tsx";
import { counted, percent, plural, signed, spelled, visibleCharacter } from "../format.ts";
import { Panel } from "./panel.tsx";

/** Which letters of the text drive a feature, straight through cross-attention. */
export function LettersPanel({ letters }: { readonly letters: LetterAttribution }): VNode {
  const { method, count, preActivation, total, characters, offsets, heads } = letters;
  const shown = characters.slice(0, 12);
  const part = total / preActivation; // more than 1 where the rest works against it
  return (
    <Panel
      title="Driven by letters"
      about={
        method === "exact"
          ? "What each letter adds to the pre-activation through cross-attention."
          : "What each letter adds to the pre-activation through cross-attention, to first order."
      }
    >
      <p class="fv-fact">
        Pre-activation {spelled(preActivation)} on average, {signed(total)} from letters
        {part > 0 && part <= 1 && `, ${percent(part)} of it`}.
      </p>
      <div class="fv-charts">
        <ChartFigure
          title="By letter"
          note={characters.length > shown.length ? `the strongest ${shown.length} of ${characters.length}` : null}
          table={{
            head: ["letter", "mean", "places"],
            rows: characters.map((letter) => [visibleCharacter(letter.character), signed(letter.mean), counted(letter.count)]),
          }}
        >
          <BarChart
            height={80}
            summary={`By letter: ${shown
              .slice(0, 3)
              .map(({ character, mean }) => `${visibleCharacter(character)} ${signed(mean)}`)
              .join(", ")}.`}
            bars={shown.map(({ character, mean, count: places }) => ({
              value: mean,
              title: `${visibleCharacter(character)}: ${signed(mean)} on ${plural(places, "place")}`,
              tick: character === "" ? "pad" : visibleCharacter(character),
            }))}
          />
        </ChartFigure>
        {offsets.length > 0 && (
          <ChartFigure
            title="By distance from the letter being written"
            table={{
              head: ["distance", "mean", "places"],
              rows: offsets.map((one) => [signed(one.offset), signed(one.mean), counted(one.count)]),
            }}
          >
            <BarChart
              height={64}
              axis="letters before (−) and after (+)"
              summary={`By distance: ${offsets.map(({ offset, mean }) => `${signed(offset)}: ${signed(mean)}`).join(", ")}.`}
              bars={offsets.map(({ offset, mean, count: places }) => ({
                value: mean,
                title: `${signed(offset)}: ${signed(mean)} on ${plural(places, "place")}`,
                tick: offsets.length <= 13 || offset % 2 === 0 ? signed(offset) : undefined,
              }))}
            />
          </ChartFigure>
        )}
        <BarTable
          caption="By head of cross-attention"
          head={["head", "mean"]}
          format={signed}
          rows={heads.map(({ layer, head, mean }) => ({ key: `${layer}.${head}`, name: `L${layer}H${head}`, value: mean }))}
        />
      </div>
      <p class="fv-note">Mean over {plural(count, "place")} where it fires. Layers and heads count from 0.</p>
    </Panel>
  );
}
