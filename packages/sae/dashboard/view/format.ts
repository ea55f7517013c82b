/** A number with three significant digits and a true minus sign: `0.0312`, `−4.2`. */
export function spelled(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-5 ? size.toExponential(1) : Number(size.toPrecision(size < 1e-3 ? 2 : 3)).toString();
  return (value < 0 ? "−" : "") + text;
}

/** The same, with a plus sign above 0. */
export function signed(value: number): string {
  return (value > 0 ? "+" : "") + spelled(value);
}

/** A share as percent: `3.4%`; what is too small for four decimals as `<0.0001%`. */
export function percent(share: number): string {
  const hundred = 100 * share;
  if (hundred === 0) return "0%";
  if (hundred < 1e-4) return "<0.0001%";
  return `${Number(hundred.toPrecision(hundred >= 10 ? 3 : 2))}%`;
}

/** A whole number with thin spaces between thousands. */
export function counted(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

/** `1 feature`, `2 features`. */
export function plural(count: number, what: string): string {
  return `${counted(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** An angle in radians as whole degrees from 0 to 359. */
export function degrees(radians: number): number {
  return ((Math.round((radians * 180) / Math.PI) % 360) + 360) % 360;
}

const compass = ["right", "down right", "down", "down left", "left", "up left", "up", "up right"];

/** Where a pen goes that moves at an angle, y down: `down left` for 142°. */
export function directionName(radians: number): string {
  return compass[Math.round(degrees(radians) / 45) % 8]!;
}

/** A character that can be seen: of a space its sign, of padding its name. */
export function visibleCharacter(character: string): string {
  return character === "" ? "padding" : character === " " ? "␣" : character;
}
