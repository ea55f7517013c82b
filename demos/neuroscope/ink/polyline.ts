import { curveControls, type InkSegment, type Position } from "@cursive/cursive-model";

/** What the pen does in one movement: the places it passes, the last one its end. */
export interface PenMovement {
  /** x and y in turn, without the place where it starts. */
  readonly places: Float32Array;
  readonly from: Position;
  /** Whether it leaves ink. */
  readonly drawn: boolean;
  /** Half a pair of tokens: it moves nothing, and gets a cross. */
  readonly malformed: boolean;
}

/** Straight pieces that a curve is drawn with. */
const PIECES = 6;

/** Movements as a pen makes them: along curves through their ends if smooth, else straight. */
export function penMovements(segments: readonly InkSegment[], options: { readonly smooth: boolean }): PenMovement[] {
  const movements: PenMovement[] = [];
  let stroke: Position[] = [];
  let first = 0; // the movement that the stroke's second position ends
  const close = (): void => {
    for (let i = 1; i < stroke.length; i++) {
      const { from } = segments[first + i - 1]!;
      movements[first + i - 1] = { places: options.smooth ? curve(stroke, i) : straight(stroke[i]!), from, drawn: true, malformed: false };
    }
    stroke = [];
  };
  for (const [i, { from, to, drawn, malformed }] of segments.entries()) {
    if (!drawn) {
      close();
      movements[i] = { places: straight(to), from, drawn: false, malformed };
      continue;
    }
    if (stroke.length === 0) {
      stroke = [from];
      first = i;
    }
    stroke.push(to);
  }
  close();
  return movements;
}

function straight(to: Position): Float32Array {
  return Float32Array.of(to[0], to[1]);
}

function curve(stroke: readonly Position[], at: number): Float32Array {
  const [a, d] = [stroke[at - 1]!, stroke[at]!];
  const [b, c] = curveControls(stroke, at);
  const places = new Float32Array(2 * PIECES);
  for (let i = 1; i <= PIECES; i++) {
    const t = i / PIECES;
    const u = 1 - t;
    const weights = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t] as const;
    for (const axis of [0, 1] as const)
      places[2 * (i - 1) + axis] = weights[0] * a[axis] + weights[1] * b[axis] + weights[2] * c[axis] + weights[3] * d[axis];
  }
  return places;
}

/** How long a movement takes, in seconds: the pen is quick over long ones and in the air. */
export function movementSeconds({ from, places, drawn }: PenMovement): number {
  const length = Math.hypot(places.at(-2)! - from[0], places.at(-1)! - from[1]);
  return drawn ? 0.008 + 0.2 * Math.sqrt(length) * Math.sqrt(Math.min(1, 0.03 + length)) : 0.03 + 0.1 * Math.min(length, 1);
}
