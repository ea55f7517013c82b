/** A place in the writing: which word, and how many of its movements are made. */
export interface Place {
  readonly word: number;
  readonly movement: number;
}

type Written = readonly { readonly segments: readonly unknown[] }[];

/** How many movements come before each word; last, all of them. */
export function wordStarts(words: Written): number[] {
  const starts = [0];
  for (const { segments } of words) starts.push(starts.at(-1)! + segments.length);
  return starts;
}

/** The word of a movement, counted over all words. At the border of two it is the later one's start. */
export function placeOf(words: Written, movement: number): Place {
  const starts = wordStarts(words);
  const word = Math.max(
    0,
    Math.min(
      words.length - 1,
      starts.findLastIndex((start, i) => i < words.length && start <= movement),
    ),
  );
  return { word, movement: Math.min(movement, starts.at(-1)!) - starts[word]! };
}
