import { type ActivationMark, type ActivationPicture, activationPicture, coordinate, type StrokeTokenizer } from "@cursive/cursive-model";
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { CorpusSequence, FeatureExampleCard } from "../feature_pages.ts";
import { tokenMeaning } from "../token_table.ts";
import { plural, spelled, visibleCharacter } from "./format.ts";
import { themedColour } from "./themed.ts";
import { tokenText } from "./token_text.ts";

/** What {@link InkCard} draws. */
export interface InkCardProps {
  readonly card: FeatureExampleCard;
  readonly sequence: CorpusSequence;
  readonly tokenizer: StrokeTokenizer;
  readonly show: "theta" | "radius" | "max";
  /** The activation with the strongest colour; null takes the card's own. */
  readonly max: number | null;
  /** Pixels a canvas height: the same on all cards of a page, so that writing compares. Default 200. */
  readonly scale?: number;
}

/** Of strokes, in canvas heights: at the usual scale 1.6 to 4.4 pixels, so that loops of letters stay open. */
const widths = [0.008, 0.022] as const;
/** Segments on either side of the ringed one whose ink is less faint. */
const WINDOW = 5;

/**
 * One example on ink: the word faint, its surroundings less so, what is active coloured and widened, the place of the activation ringed. A
 * pointer over it, or the arrow keys, go through the segments and tell what each token means and how active the feature is there.
 */
export function InkCard({ card, sequence, tokenizer, show, max, scale = 200 }: InkCardProps): VNode {
  const [at, setAt] = useState<number | null>(null);
  const activations = useMemo(() => denseActivations(card, sequence), [card, sequence]);
  const picture = useMemo(
    () =>
      activationPicture(sequence.tokens, {
        tokenizer,
        activations,
        show,
        max: max ?? undefined,
        widths,
        ring: card.position,
        margin: 0.06,
      }),
    [sequence, tokenizer, activations, show, max, card],
  );
  const marks = picture.marks.filter(({ kind }) => kind !== "malformed");
  const ringed = Math.max(
    0,
    marks.findIndex(({ thetaIndex, radiusIndex }) => thetaIndex === card.position || radiusIndex === card.position),
  );
  const current = Math.min(at ?? ringed, marks.length - 1);
  const tell = (number: number): string => (marks[number] ? toldOf(marks[number], { activations, sequence, tokenizer }) : "nothing drawn");
  const { box } = picture;
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const letter = [...sequence.text][sequence.letters[card.position] ?? -1];
  const name = `“${sequence.text}”: ${spelled(card.activation)}${letter ? ` on the ${visibleCharacter(letter)}` : ""}`;
  return (
    <figure class="fv-card">
      <div
        class="fv-card-ink"
        role="slider"
        tabIndex={0}
        aria-label={name}
        aria-valuemin={1}
        aria-valuemax={Math.max(1, marks.length)}
        aria-valuenow={current + 1}
        aria-valuetext={tell(current)}
        onKeyDown={(event) => {
          const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
          const to = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : current + (steps[event.key] ?? Number.NaN);
          if (Number.isNaN(to)) return;
          setAt(Math.max(0, Math.min(marks.length - 1, to)));
          event.preventDefault();
          event.stopPropagation();
        }}
        onFocus={() => setAt(at ?? ringed)}
        onBlur={() => setAt(null)}
        onPointerMove={({ currentTarget, clientX, clientY }) => {
          const shown = currentTarget.firstElementChild!.getBoundingClientRect();
          const unit = width / shown.width;
          setAt(nearestMark(marks, [box.left + (clientX - shown.left) * unit, box.top + (clientY - shown.top) * unit]));
        }}
        onPointerLeave={() => setAt(null)}
      >
        <svg
          viewBox={[box.left, box.top, width, height].map(coordinate).join(" ")}
          width={Math.round(width * scale)}
          height={Math.round(height * scale)}
          aria-hidden="true"
        >
          <Strokes picture={picture} position={card.position} />
          {at !== null && marks[current] && <Highlight mark={marks[current]} />}
        </svg>
      </div>
      <figcaption>
        <span class="fv-card-text">
          <b>{spelled(card.activation)}</b> {sequence.text}
        </span>
        <span class="fv-note">
          {at === null || !marks[current] ? noteOf(picture, card) : shortly(marks[current], { activations, sequence, tokenizer })}
        </span>
      </figcaption>
    </figure>
  );
}

/** All marks of a picture: plain ink in few paths, what is active each by itself. */
function Strokes({
  picture: { marks, ring, ringRadius },
  position,
}: {
  readonly picture: ActivationPicture;
  readonly position: number;
}): VNode {
  const isNear = ({ thetaIndex, radiusIndex }: ActivationMark): boolean =>
    Math.abs((radiusIndex ?? thetaIndex ?? 0) - position) <= 2 * WINDOW;
  const plain = marks.filter(({ strength, kind }) => strength === 0 && kind !== "malformed");
  const pathOf = (some: readonly ActivationMark[]): string => some.map(({ path }) => path ?? "").join("");
  const isAir = ({ kind }: ActivationMark): boolean => kind === "air";
  return (
    <g class="fv-strokes" fill="none" stroke-linecap="round" stroke-linejoin="round">
      <path class="fv-air" d={pathOf(plain.filter(isAir))} stroke-width={coordinate(widths[0] / 2)} stroke-dasharray="0.012 0.016" />
      <path class="fv-faint" d={pathOf(plain.filter((mark) => !isAir(mark) && !isNear(mark)))} stroke-width={coordinate(widths[0])} />
      <path class="fv-near" d={pathOf(plain.filter((mark) => !isAir(mark) && isNear(mark)))} stroke-width={coordinate(widths[0])} />
      {marks.map((mark) =>
        mark.strength === 0 ? null : <ActiveMark key={mark.path ?? mark.thetaIndex ?? mark.radiusIndex} mark={mark} />,
      )}
      {marks.map((mark) =>
        mark.kind === "malformed" ? (
          <path key={mark.path} class="fv-malformed" d={mark.path!} stroke-width={coordinate(mark.width)} />
        ) : null,
      )}
      {ring && <circle class="fv-ring" cx={coordinate(ring[0])} cy={coordinate(ring[1])} r={coordinate(1.2 * ringRadius)} />}
    </g>
  );
}

function ActiveMark({ mark: { kind, path, to, strength, width } }: { readonly mark: ActivationMark }): VNode {
  const colour = themedColour(strength);
  if (path !== null)
    return (
      <path
        d={path}
        style={{ stroke: colour }}
        stroke-width={coordinate(width)}
        stroke-dasharray={kind === "air" ? "0.012 0.016" : undefined}
      />
    );
  const place = { cx: coordinate(to[0]), cy: coordinate(to[1]), r: coordinate(width) };
  return kind === "landing" ? (
    <circle {...place} style={{ stroke: colour }} stroke-width="0.006" />
  ) : (
    <circle {...place} style={{ fill: colour }} />
  );
}

function Highlight({ mark: { path, to, width } }: { readonly mark: ActivationMark }): VNode {
  if (path === null) return <circle class="fv-highlight" cx={coordinate(to[0])} cy={coordinate(to[1])} r={coordinate(width + 0.03)} />;
  return <path class="fv-highlight" d={path} stroke-width={coordinate(width + 0.06)} stroke-linecap="round" />;
}

/** The activation of each token: 0 where the card names none. */
function denseActivations({ positions, values }: FeatureExampleCard, { tokens }: CorpusSequence): Float64Array {
  const activations = new Float64Array(tokens.length);
  for (const [i, position] of positions.entries()) activations[position] = values[i]!;
  return activations;
}

function nearestMark(marks: readonly ActivationMark[], point: readonly [number, number]): number {
  let [nearest, least] = [0, Number.POSITIVE_INFINITY];
  for (const [i, mark] of marks.entries()) {
    const away = distance(point, mark);
    if (away < least) [nearest, least] = [i, away];
  }
  return nearest;
}

/** From a point to a mark's line. */
function distance([x, y]: readonly [number, number], { from, to }: ActivationMark): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const square = dx * dx + dy * dy;
  const along = square > 0 ? Math.max(0, Math.min(1, ((x - from[0]) * dx + (y - from[1]) * dy) / square)) : 0;
  return Math.hypot(from[0] + along * dx - x, from[1] + along * dy - y);
}

/** What a mark's tokens mean, and how active the feature is at each. */
function toldOf(
  { thetaIndex, radiusIndex }: ActivationMark,
  {
    activations,
    sequence,
    tokenizer,
  }: { readonly activations: ArrayLike<number>; readonly sequence: CorpusSequence; readonly tokenizer: StrokeTokenizer },
): string {
  const letter = [...sequence.text][sequence.letters[radiusIndex ?? thetaIndex ?? -1] ?? -1];
  const tokens = [thetaIndex, radiusIndex].flatMap((index) =>
    index === null ? [] : [`${tokenText(tokenizer, sequence.tokens[index]!)}: ${spelled(activations[index]!)}`],
  );
  return [...(letter ? [`on ${visibleCharacter(letter)}`] : []), ...tokens].join(" · ");
}

/** The same in a few characters, for the eye. */
function shortly(
  { thetaIndex, radiusIndex }: ActivationMark,
  {
    activations,
    sequence,
    tokenizer,
  }: { readonly activations: ArrayLike<number>; readonly sequence: CorpusSequence; readonly tokenizer: StrokeTokenizer },
): VNode {
  const letter = [...sequence.text][sequence.letters[radiusIndex ?? thetaIndex ?? -1] ?? -1];
  return (
    <>
      {letter && `${visibleCharacter(letter)}: `}
      {[thetaIndex, radiusIndex].map((index) =>
        index === null ? null : (
          <span key={index}>
            {tokenMeaning(sequence.tokens[index]!, tokenizer)} <b>{spelled(activations[index]!)}</b>{" "}
          </span>
        ),
      )}
    </>
  );
}

/** What cannot be seen. */
function noteOf({ malformed, hidden }: ActivationPicture, { positions }: FeatureExampleCard): string {
  const notes = [
    plural(positions.length, "firing"),
    ...(malformed > 0 ? [plural(malformed, "malformed pair")] : []),
    ...(hidden.pad > 0 ? [`${plural(hidden.pad, "activation")} on PAD hidden`] : []),
    ...(hidden.end > 0 ? ["fires on END"] : []),
  ];
  return notes.join(" · ");
}
