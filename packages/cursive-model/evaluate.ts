import type { Split, WordDataset } from "./data/dataset.ts";
import { noWord, wordPlaces } from "./data/word_places.ts";
import { type LossMeasure, type LossSums, MeanLoss } from "./losses/mean_loss.ts";
import { captureTargetLosses, type SequenceLosses, sequenceLosses, sumTargets } from "./losses/target_losses.ts";
import { type TokenClass, tokenClass, tokenClasses } from "./losses/token_class.ts";
import type { Transformer } from "./transformer.ts";

/** Options of {@linkcode evaluateModel}. */
export interface EvaluateOptions {
  /** Where the sequences come from; its tokenizer must be the model's. */
  readonly dataset: WordDataset;
  /** Default: `test`, the held-out words. */
  readonly split?: Split;
  /** Batches, from the split's first: the same ones each time. Default 10. */
  readonly batches?: number;
  /** Sequences in each. Default 100. */
  readonly batchSize?: number;
  /** The most sequences on the GPU at once; no figure depends on it. Default 32. */
  readonly pieceSize?: number;
  /** Measure the model without its text too, which takes the time again. Default true. */
  readonly ablation?: boolean;
  readonly signal?: AbortSignal;
  /** Called after each sequence with the number of those done. */
  readonly onSequence?: (done: number, total: number) => void;
}

/** The loss on some of the targets. */
export type LossGroup<K extends object> = K & LossMeasure;

/** The loss on targets that the words of a group are written with. */
export interface OfWords {
  /** Words, as often as they were written. */
  readonly words: number;
}

/** What {@linkcode evaluateModel} finds. All losses are means a target, in nats; see {@linkcode LossMeasure}. */
export interface ModelEvaluation {
  readonly split: Split;
  readonly batches: number;
  readonly batchSize: number;
  readonly sequences: number;
  /** Sequences whose ink was cut to T tokens. */
  readonly cut: number;
  /** Over all targets, padding included: the PyTorch original's definition. */
  readonly all: LossMeasure;
  /** Over targets that are ink, WORD or END: what padding does not flatter. */
  readonly real: LossMeasure;
  /** By what the target is. */
  readonly byClass: readonly LossGroup<{ readonly class: TokenClass }>[];
  /** Ink of words by the number of their characters. Gaps between words, WORD and END are left out. */
  readonly byWordLength: readonly LossGroup<{ readonly characters: number } & OfWords>[];
  /**
   * Ink of all words that contain a character. Letters are joined, and the data do not say where one ends: no token can be given to a single
   * character.
   */
  readonly byCharacter: readonly LossGroup<{ readonly character: string } & OfWords>[];
  /** Targets without padding by their place in the sequence, from `from` up to before `to`. */
  readonly byPosition: readonly LossGroup<{ readonly from: number; readonly to: number }>[];
  /** The same sequences with the embedded text zeroed, so that nothing says what to write. Null if not asked for. */
  readonly ablated: Ablation | null;
}

/** What a model does without its text. */
export interface Ablation {
  readonly all: LossMeasure;
  readonly real: LossMeasure;
  /** How much the loss on targets without padding rises, with the standard error of this difference: sequence by sequence it varies less. */
  readonly rise: { readonly loss: number; readonly standardError: number };
}

const positionBands = 8;

/**
 * Measures a model on the first batches of a split. Every loss is added up in float64 on the host, in the order of the sequences.
 *
 * @throws {RangeError} if the dataset is not the model's, or a number is not a whole one from 1.
 * @throws The reason of `signal`, if it asks to stop.
 * @example
 * ```ts
 * const { all, real } = await evaluateModel(model, { dataset, split: "test" });
 * console.log(`${all.loss} ± ${all.standardError} nats over ${all.count} targets; ${real.loss} without padding`);
 * ```
 */
export async function evaluateModel(model: Transformer, options: EvaluateOptions): Promise<ModelEvaluation> {
  const { dataset, split = "test", batches = 10, batchSize = 100, pieceSize = 32, ablation = true, signal, onSequence } = options;
  check(model, { dataset, sizes: { batches, batchSize, pieceSize } });
  const steps = [captureTargetLosses(model)];
  if (ablation) steps.push(captureTargetLosses(model, { ablateCrossAttention: true }));
  const tally = new Tally(dataset);
  let done = 0;
  for await (const sequence of sequenceLosses(steps, { dataset, split, batches, batchSize, pieceSize, signal })) {
    tally.add(sequence);
    done++;
    onSequence?.(done, batches * batchSize);
  }
  return { split, batches, batchSize, sequences: done, ...tally.result(ablation) };
}

function check(model: Transformer, { dataset, sizes }: { dataset: WordDataset; sizes: Readonly<Record<string, number>> }): void {
  const { vocabSize, contextVocabSize, blockSize, contextBlockSize } = model.config;
  const { tokenizer, maxLength, contextLength } = dataset;
  if (tokenizer.vocabSize !== vocabSize || tokenizer.contextVocabSize !== contextVocabSize) {
    const [wanted, found] = [
      `${vocabSize} tokens and ${contextVocabSize} characters`,
      `${tokenizer.vocabSize} and ${tokenizer.contextVocabSize}`,
    ];
    throw new RangeError(`Expected a dataset of the model's ${wanted} but found ${found}`);
  }
  if (maxLength > blockSize || contextLength > contextBlockSize)
    throw new RangeError(
      `Expected at most ${blockSize} tokens and ${contextBlockSize} characters but found ${maxLength} and ${contextLength}`,
    );
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`Expected ${name} to be a whole number from 1 but found ${size}`);
  }
}

/** Adds up one sequence after another. */
class Tally {
  readonly #dataset: WordDataset;
  readonly #bandWidth: number;
  readonly #all = new MeanLoss();
  readonly #real = new MeanLoss();
  readonly #ablatedAll = new MeanLoss();
  readonly #ablatedReal = new MeanLoss();
  readonly #rise = new MeanLoss();
  readonly #classes = new Groups<TokenClass>();
  readonly #lengths = new Groups<number>();
  readonly #characters = new Groups<string>();
  readonly #bands = new Groups<number>();
  #cut = 0;

  constructor(dataset: WordDataset) {
    this.#dataset = dataset;
    this.#bandWidth = Math.ceil(dataset.maxLength / positionBands);
  }

  add(sequence: SequenceLosses): void {
    const { batch, row } = sequence;
    const { padToken } = this.#dataset.tokenizer;
    const isReal = (target: number): boolean => target !== padToken;
    const real = sumTargets(sequence, { where: isReal });
    this.#all.add(sumTargets(sequence));
    this.#real.add(real);
    if (sequence.losses.length > 1) {
      const ablated = sumTargets(sequence, { step: 1, where: isReal });
      this.#ablatedAll.add(sumTargets(sequence, { step: 1 }));
      this.#ablatedReal.add(ablated);
      this.#rise.add({ ...ablated, loss: ablated.loss - real.loss });
    }
    this.#addToGroups(sequence);
    if (batch.lengths[row]! >= this.#dataset.maxLength) this.#cut++;
  }

  #addToGroups({ batch, row, targets, tokens, losses, likeliest }: SequenceLosses): void {
    const { tokenizer } = this.#dataset;
    const words = batch.words[row]!;
    const places = wordPlaces(tokens, { words, tokenizer });
    const ofWords = words.map(() => ({ loss: 0, count: 0, hits: 0 }));
    for (const [place, target] of targets.entries()) {
      const one = { loss: losses[0]![place]!, count: 1, hits: likeliest[0]![place] === target ? 1 : 0 };
      this.#classes.add(tokenClass(target, { after: tokens[place]!, tokenizer }), one);
      if (target !== tokenizer.padToken) this.#bands.add(Math.floor(place / this.#bandWidth), one);
      const word = places[place + 1] ?? noWord; // the target of a place is the token after it
      if (word !== noWord) addTo(ofWords[word]!, one);
    }
    for (const [i, word] of words.entries()) {
      if (ofWords[i]!.count === 0) continue; // cut off
      const characters = [...word.text];
      this.#lengths.add(characters.length, ofWords[i]!);
      for (const character of new Set(characters)) this.#characters.add(character, ofWords[i]!);
    }
    for (const groups of [this.#classes, this.#lengths, this.#characters, this.#bands]) groups.endSequence();
  }

  result(ablation: boolean): Omit<ModelEvaluation, "split" | "batches" | "batchSize" | "sequences"> {
    const order = Object.keys(tokenClasses);
    const { loss, standardError } = this.#rise.measure();
    const byNumber = ([a]: readonly [number, unknown], [b]: readonly [number, unknown]): number => a - b;
    return {
      cut: this.#cut,
      all: this.#all.measure(),
      real: this.#real.measure(),
      byClass: this.#classes
        .measures()
        .map(([name, { measure }]) => ({ class: name, ...measure }))
        .sort((a, b) => order.indexOf(a.class) - order.indexOf(b.class)),
      byWordLength: this.#lengths
        .measures()
        .sort(byNumber)
        .map(([characters, { measure, members }]) => ({ characters, words: members, ...measure })),
      byCharacter: this.#characters
        .measures()
        .sort(([a], [b]) => this.#dataset.tokenizer.alphabet.indexOf(a) - this.#dataset.tokenizer.alphabet.indexOf(b))
        .map(([character, { measure, members }]) => ({ character, words: members, ...measure })),
      byPosition: this.#bands
        .measures()
        .sort(byNumber)
        .map(([band, { measure }]) => {
          const from = band * this.#bandWidth;
          return { from, to: Math.min(from + this.#bandWidth, this.#dataset.maxLength), ...measure };
        }),
      ablated: ablation ? { all: this.#ablatedAll.measure(), real: this.#ablatedReal.measure(), rise: { loss, standardError } } : null,
    };
  }
}

/** Losses by a key. */
class Groups<K> {
  readonly #groups = new Map<K, { mean: MeanLoss; sequence: { loss: number; count: number; hits: number }; members: number }>();

  /** Adds some targets of the sequence under way. */
  add(key: K, sums: LossSums): void {
    let group = this.#groups.get(key);
    if (!group) {
      group = { mean: new MeanLoss(), sequence: { loss: 0, count: 0, hits: 0 }, members: 0 };
      this.#groups.set(key, group);
    }
    addTo(group.sequence, sums);
    group.members++;
  }

  endSequence(): void {
    for (const group of this.#groups.values()) {
      group.mean.add(group.sequence);
      group.sequence = { loss: 0, count: 0, hits: 0 };
    }
  }

  /** Each key's mean, and how often something was added under it. */
  measures(): [K, { measure: LossMeasure; members: number }][] {
    return [...this.#groups].map(([key, { mean, members }]) => [key, { measure: mean.measure(), members }]);
  }
}

function addTo(total: { loss: number; count: number; hits: number }, { loss, count, hits }: LossSums): void {
  total.loss += loss;
  total.count += count;
  total.hits += hits;
}
