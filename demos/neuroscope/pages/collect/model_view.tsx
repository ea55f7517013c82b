import { coarseAugmentation, StrokeTokenizer, simplify } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { ModelFacts } from "../../engine/model_file.ts";
import { inkOf, type Stroke } from "./collection.ts";
import { type Paper, UNITS } from "./paper.ts";

/** Props of {@link ModelView}. */
export interface ModelViewProps {
  readonly paper: Paper;
  readonly strokes: readonly Stroke[];
  readonly model: ModelFacts;
}

/** The ink as the model would be given it: thinned out as for training, cut into tokens, and drawn from these again. */
export function ModelView({ paper, strokes, model }: ModelViewProps): VNode {
  const tokenizer = useMemo(() => new StrokeTokenizer(model.tokenizer), [model]);
  const [low, high] = coarseAugmentation.simplify!;
  const points = simplify(inkOf(strokes), (low + high) / 2);
  const tokens = tokenizer.encodeStrokes(points);
  const most = model.config.blockSize - 1;
  const shift = UNITS * (strokes[0]?.[0]?.[0] ?? 0);
  const down = UNITS * (strokes[0]?.[0]?.[1] ?? 0);
  const { left, top, width, height } = paper;
  const segments = tokenizer.segments(tokens);
  return (
    <figure class="model-view">
      <svg
        viewBox={[left, top, width, height].map((value) => UNITS * value).join(" ")}
        role="img"
        aria-label="The ink as the model would see it"
      >
        <g transform={`translate(${shift.toFixed(1)} ${down.toFixed(1)})`}>
          {segments.map(({ from, to, drawn }, i) => (
            <line
              key={i}
              class={drawn ? "" : "is-up"}
              x1={(UNITS * from[0]).toFixed(1)}
              y1={(UNITS * from[1]).toFixed(1)}
              x2={(UNITS * to[0]).toFixed(1)}
              y2={(UNITS * to[1]).toFixed(1)}
            />
          ))}
          {segments.map(({ to }, i) => (
            <circle key={i} cx={(UNITS * to[0]).toFixed(1)} cy={(UNITS * to[1]).toFixed(1)} r={5} />
          ))}
        </g>
      </svg>
      <figcaption class="small muted" data-testid="model-view">
        {strokes.length === 0 ? (
          "As the model would see it"
        ) : (
          <>
            As the model would see it: {tokens.length / 2} movements, {tokens.length} tokens of at most {most}.
            {tokens.length > most && <b> It would be cut: write it smaller, or with fewer strokes.</b>}
          </>
        )}
      </figcaption>
    </figure>
  );
}
