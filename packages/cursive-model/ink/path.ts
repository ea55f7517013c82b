/** A position in canvas heights, y down. */
export type Position = readonly [x: number, y: number];

/** A coordinate as SVG has it: four decimals, which is finer than any screen. */
export function coordinate(value: number): string {
  return String(Math.round(value * 1e4) / 1e4 + 0); // + 0 turns -0 into 0
}

/**
 * The `d` attribute of an SVG path along positions; of one position, a dot.
 *
 * With `smooth`, a curve through the positions (Catmull–Rom, its tangents weighted by the distances to both neighbours) that leaves
 * corners sharper than a right angle alone: those of handwriting are meant. It is for looking at, not for measuring.
 *
 * @example
 * ```ts
 * pathData([[0, 0], [0.5, 0.1]]); // "M0 0L0.5 0.1"
 * ```
 */
export function pathData(positions: readonly Position[], options: { smooth?: boolean } = {}): string {
  const [first, ...rest] = positions;
  if (!first) return "";
  const start = `M${spelled(first)}`;
  if (rest.length === 0) return `${start}L${spelled(first)}`;
  if (!options.smooth) return start + rest.map((position) => `L${spelled(position)}`).join("");
  return start + rest.map((position, i) => curveTo(position, i + 1, positions)).join("");
}

function spelled([x, y]: Position): string {
  return `${coordinate(x)} ${coordinate(y)}`;
}

/** The cubic curve from the position before `at` to the one there. */
function curveTo(position: Position, at: number, positions: readonly Position[]): string {
  const [out, back] = curveControls(positions, at);
  return `C${spelled(out)} ${spelled(back)} ${spelled(position)}`;
}

/** The two control points of the cubic curve from the position before `at`, which is at least 1, to the one there; see {@link pathData}. */
export function curveControls(positions: readonly Position[], at: number): [out: Position, back: Position] {
  const [from, to] = [positions[at - 1]!, positions[at]!];
  return [
    handle(from, { before: positions[at - 2], after: to, towards: 1 }),
    handle(to, { before: from, after: positions[at + 1], towards: -1 }),
  ];
}

/** A control point: a third of the way to the neighbour ahead (`towards` 1) or behind (-1), along the tangent. */
function handle(at: Position, { before, after, towards }: { before?: Position; after?: Position; towards: 1 | -1 }): Position {
  if (!before || !after) return at;
  const inward = [at[0] - before[0], at[1] - before[1]] as const;
  const outward = [after[0] - at[0], after[1] - at[1]] as const;
  const isCorner = inward[0] * outward[0] + inward[1] * outward[1] <= 0;
  const lengthIn = Math.hypot(...inward);
  const lengthOut = Math.hypot(...outward);
  if (isCorner || lengthIn + lengthOut === 0) return at;
  const share = (towards * (towards === 1 ? lengthOut : lengthIn)) / (lengthIn + lengthOut) / 3;
  return [at[0] + share * (after[0] - before[0]), at[1] + share * (after[1] - before[1])];
}
