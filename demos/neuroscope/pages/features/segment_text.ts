import type { InkSegment } from "@cursive/cursive-model";

/** A number of three figures as people read it. */
export function spelled(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 0.001 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** With its sign: what is gained or lost. */
export function signed(value: number): string {
  return value > 0 ? `+${spelled(value)}` : spelled(value).replace("-", "−");
}

/** Where a movement goes, in degrees: 0 to the right, counted downwards, as θ is everywhere here. */
export function degreesOf({ from, to }: Pick<InkSegment, "from" | "to">): number | null {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  return dx === 0 && dy === 0 ? null : Math.round((Math.atan2(dy, dx) * 180) / Math.PI);
}

/** A segment in words: `142°, 0.052 long, pen down`. */
export function describeSegment(segment: InkSegment): string {
  if (segment.malformed) return "half a pair: a direction or a length alone";
  const degrees = degreesOf(segment);
  const length = Math.hypot(segment.to[0] - segment.from[0], segment.to[1] - segment.from[1]);
  const way = degrees === null ? "no movement" : `${String(degrees).replace("-", "−")}°, ${spelled(length)} long`;
  return `${way}, pen ${segment.drawn ? "down" : "in the air"}`;
}
