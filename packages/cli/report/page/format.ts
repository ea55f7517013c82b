/** `1,234`, `12.3k`, `1.2M`: short enough for an axis. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${trimmed(value / 1e9)}G`;
  if (size >= 1e6) return `${trimmed(value / 1e6)}M`;
  if (size >= 1e4) return `${trimmed(value / 1e3)}k`;
  if (size >= 1 || size === 0) return String(Number(value.toPrecision(6)));
  return size < 1e-3 ? value.toExponential().replace(/(\.\d\d)\d*/, "$1") : String(Number(value.toPrecision(3)));
}

/** `0.7 s`, `0:45`, `12:03`, `1:02:03`. */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 1) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Four digits of a loss, less of what is large. */
export function decimals(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(2);
  return size >= 100 ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : value.toPrecision(4);
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(1)));
}
