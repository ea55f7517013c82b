import type { StrokeTokenizer } from "./tokenizer.ts";

/** A text as the model can be asked for it. */
export interface FittedText {
  /** As it was given. */
  readonly text: string;
  /** In the model's characters. */
  readonly written: string;
  /** The characters that the model does not have, each once, and what stands for them: nothing, where they are left out. */
  readonly replaced: readonly { readonly character: string; readonly by: string }[];
}

/** What else may stand for characters that Unicode does not take apart. The first that the model has is taken. */
const lookalikes: readonly (readonly [characters: string, by: readonly string[]])[] = [
  ["‘’‚‛′`´", ["'"]],
  ["“”„‟″«»", ['"', "'"]],
  ["‐‑‒–—―−-", ["-", " "]],
  [";:", [",", "."]],
  ["…", ["..."]],
  ["[{<", ["("]],
  ["]}>", [")"]],
  ["ßẞ", ["ss"]],
  ["æ", ["ae"]],
  ["Æ", ["AE", "Ae"]],
  ["œ", ["oe"]],
  ["Œ", ["OE", "Oe"]],
  ["øð", ["o"]],
  ["Ø", ["O"]],
  ["łŁ", ["l"]],
  ["đ", ["d"]],
  ["ı", ["i"]],
  ["&+", ["and"]],
  ["\t\u00A0_/", [" "]],
];

/** Puts a text into the model's characters: accents off, quotes straight, and what nothing stands for left out. */
export function fitText(text: string, tokenizer: Pick<StrokeTokenizer, "unknownCharacters">): FittedText {
  const has = (candidate: string): boolean => tokenizer.unknownCharacters(candidate).length === 0;
  const composed = text.normalize("NFC");
  const replaced = tokenizer.unknownCharacters(composed).map((character) => ({ character, by: standIns(character).find(has) ?? "" }));
  const by = new Map(replaced.map((each) => [each.character, each.by]));
  const written = [...composed].map((character) => by.get(character) ?? character).join("");
  return { text, written: replaced.length > 0 ? written.replace(/ +/g, " ").trim() : written, replaced };
}

function standIns(character: string): string[] {
  const plain = character.normalize("NFKD").replace(/\p{M}/gu, "");
  const others = lookalikes.flatMap(([characters, by]) => ([...characters].includes(character) ? by : []));
  return [plain, ...others, plain.toLowerCase(), plain.toUpperCase()].filter((candidate) => candidate !== "");
}
