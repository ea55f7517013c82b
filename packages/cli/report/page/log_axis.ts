/** Digits in the order in which they are labelled while there is room; what is not of one digit comes behind them. */
const ORDER = [1, 5, 2, 3, 7, 4, 6, 8, 9];

/** Where a logarithmic axis is divided: at all numbers of one digit, or evenly where it is too short for two of them. */
export function logSplits(min: number, max: number): number[] {
  const splits: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (let digit = 1; digit <= 9; digit++) {
      const value = Number(`${digit}e${power}`);
      if (value >= min && value <= max) splits.push(value);
    }
  }
  return splits.length >= 2 ? splits : evenSplits(min, max);
}

/** Which of them are labelled, so that labels stay `room` pixels apart; null for those that are not. */
export function logLabels(
  splits: readonly number[],
  about: { readonly room: number; readonly place: (value: number) => number },
): (number | null)[] {
  const rank = (value: number): number => {
    const index = ORDER.indexOf(Number(value.toExponential(3).split("e")[0]));
    return index < 0 ? ORDER.length : index;
  };
  const labelled = new Map<number, number>();
  for (const value of splits.toSorted((a, b) => rank(a) - rank(b) || a - b)) {
    const place = about.place(value);
    if ([...labelled.values()].every((other) => Math.abs(other - place) >= about.room)) labelled.set(value, place);
  }
  return splits.map((value) => (labelled.has(value) ? value : null));
}

/** About five round numbers at equal distances. */
function evenSplits(min: number, max: number): number[] {
  const rough = (max - min) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(min / step);
  return Array.from({ length: Math.max(0, Math.floor(max / step) - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
