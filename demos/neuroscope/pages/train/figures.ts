/** A loss or a rate as people read it: four figures, small ones with an exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1).replace("e-", "e−");
  return String(Number(value.toPrecision(4)));
}

/** Seconds as a clock: `0:07`, `12:40`, `1:02:00`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** A speed: `940`, `12.4 k`, `1.20 M`. */
export function speed(perSecond: number): string {
  if (perSecond < 1000) return String(Math.round(perSecond));
  if (perSecond < 1e6) return `${(perSecond / 1000).toPrecision(3)} k`;
  return `${(perSecond / 1e6).toPrecision(3)} M`;
}

/** The middle of each value and those before it, later ones weighing more: what a noisy curve is about. */
export function smoothed(values: readonly number[], keep: number): (number | null)[] {
  let mean = Number.NaN;
  let weight = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return null;
    weight = weight * keep + 1;
    mean = Number.isNaN(mean) ? value : mean + (value - mean) / weight;
    return mean;
  });
}
