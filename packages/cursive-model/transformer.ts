import {
  createRng,
  crossEntropy,
  Embedding,
  Gelu,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
  type Parameter,
  type Rng,
  scaledDotProductAttention,
  type Tensor,
} from "@cursive/tensor";

/** Sizes of a {@link Transformer}. */
export interface TransformerConfig {
  /** Blocks. */
  readonly nLayer: number;
  /** Heads, of self- and cross-attention alike. */
  readonly nHead: number;
  /** C: width of the residual stream, a multiple of the number of heads. */
  readonly nEmbd: number;
  /** Most tokens in a sequence. */
  readonly blockSize: number;
  /** Most characters in a text. */
  readonly contextBlockSize: number;
  /** V: stroke tokens. */
  readonly vocabSize: number;
  /** Characters, with the padding. */
  readonly contextVocabSize: number;
}

/** What {@link Transformer.forward} gives. */
export interface TransformerOutput {
  /** `[B, T, V]` */
  readonly logits: Tensor;
  /** Mean cross-entropy over all targets but −1; null without targets. */
  readonly loss: Tensor | null;
}

/** Choices of one forward pass. */
export interface ForwardOptions {
  /** Zero the embedded text, so that the model writes letters that spell nothing. Keys and values become their biases, as in the original. */
  readonly ablateCrossAttention?: boolean;
}

/**
 * The cursive transformer: a GPT (pre-norm, learned positions) that predicts pen-stroke tokens and reads the text to write through
 * cross-attention in every block. Module and parameter names are the PyTorch original's.
 *
 * Shapes: B sequences, T stroke tokens, S characters, C width, H heads, D = C / H, V vocabulary.
 *
 * @example
 * ```ts
 * const model = new Transformer({ nLayer: 4, nHead: 4, nEmbd: 64, blockSize: 1000, contextBlockSize: 50, vocabSize: 455, contextVocabSize: 72 });
 * const { logits, loss } = model.forward(tokens, context, targets);
 * ```
 */
export class Transformer extends Module<
  [tokens: Tensor, context: Tensor, targets?: Tensor | null, options?: ForwardOptions],
  TransformerOutput
> {
  readonly config: TransformerConfig;
  readonly transformer: Body;
  readonly lm_head: Linear;

  /**
   * Initialised as PyTorch does, from streams of `seed`.
   * @throws RangeError if a size is not a positive whole number, or the width does not divide into the heads.
   */
  constructor(config: TransformerConfig, options: { readonly seed?: number } = {}) {
    super();
    checkConfig(config);
    this.config = { ...config };
    const rng = createRng(options.seed ?? 42, "init");
    this.transformer = new Body(config, rng);
    this.lm_head = new Linear(config.nEmbd, config.vocabSize, { bias: false, rng });
  }

  /** tokens `[B, T]`, context `[B, S]`, targets `[B, T]`, all i32. Hooks of the parts run; call `model.call(…)` for hooks of the whole. */
  override forward(tokens: Tensor, context: Tensor, targets: Tensor | null = null, options: ForwardOptions = {}): TransformerOutput {
    this.#check(tokens, context);
    const logits = this.lm_head.call(this.transformer.call(tokens, context, options)); // (B, T, V)
    return { logits, loss: targets && crossEntropy(logits, targets, { ignoreIndex: -1 }) };
  }

  #check(tokens: Tensor, context: Tensor): void {
    const { blockSize, contextBlockSize } = this.config;
    const describe = `tokens [${tokens.shape}] and context [${context.shape}]`;
    if (tokens.rank !== 2 || context.rank !== 2 || tokens.shape[0] !== context.shape[0]) {
      throw new RangeError(`Expected tokens [B, T] and context [B, S] of one batch size but found ${describe}`);
    }
    if (tokens.shape[1]! > blockSize || context.shape[1]! > contextBlockSize) {
      throw new RangeError(`Expected at most ${blockSize} tokens and ${contextBlockSize} characters but found ${describe}`);
    }
  }
}

function checkConfig(config: TransformerConfig): void {
  const { nLayer, nHead, nEmbd, blockSize, contextBlockSize, vocabSize, contextVocabSize } = config;
  for (const [name, size] of Object.entries({ nLayer, nHead, nEmbd, blockSize, contextBlockSize, vocabSize, contextVocabSize })) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`Expected ${name} to be a positive whole number but found ${size}`);
  }
  if (nEmbd % nHead) throw new RangeError(`Expected a width divisible by ${nHead} heads but found ${nEmbd}`);
}

/** Everything between the tokens and the head: the original's `transformer`. */
class Body extends Module<[tokens: Tensor, context: Tensor, options: ForwardOptions], Tensor> {
  readonly wte: Embedding;
  readonly wpe: PositionEmbedding;
  readonly wce: Embedding;
  readonly wcpe: PositionEmbedding;
  readonly h: ModuleList<Block>;
  readonly ln_f: LayerNorm;

  constructor(config: TransformerConfig, rng: Rng) {
    super();
    const { nEmbd } = config;
    this.wte = new Embedding(config.vocabSize, nEmbd, { rng });
    this.wpe = new PositionEmbedding(config.blockSize, { nEmbd, rng });
    this.wce = new Embedding(config.contextVocabSize, nEmbd, { rng });
    this.wcpe = new PositionEmbedding(config.contextBlockSize, { nEmbd, rng });
    this.h = new ModuleList(Array.from({ length: config.nLayer }, () => new Block(config, rng)));
    this.ln_f = new LayerNorm(nEmbd);
  }

  override forward(tokens: Tensor, context: Tensor, options: ForwardOptions): Tensor {
    const embedded = this.wce.call(context).add(this.wcpe.call(context.shape[1]!)); // (B, S, C)
    const c = options.ablateCrossAttention ? embedded.mul(0) : embedded;
    let x = this.wte.call(tokens).add(this.wpe.call(tokens.shape[1]!)); // (B, T, C)
    for (const block of this.h) x = block.call(x, c);
    return this.ln_f.call(x);
  }
}

/** One vector a place: the first T rows of its table, which is a view where looking them up one by one would copy. */
class PositionEmbedding extends Module<[length: number], Tensor> {
  readonly weight: Parameter;

  constructor(count: number, { nEmbd, rng }: { nEmbd: number; rng: Rng }) {
    super();
    this.weight = new Embedding(count, nEmbd, { rng }).weight;
  }

  override forward(length: number): Tensor {
    return this.weight.narrow(0, { start: 0, length }).unsqueeze(0); // (1, T, C)
  }
}

/** Attend to what was written, attend to the text, think. */
class Block extends Module<[x: Tensor, c: Tensor], Tensor> {
  readonly ln_1: LayerNorm;
  readonly attn: SelfAttention;
  readonly ln_2: LayerNorm;
  readonly cross_attn: CrossAttention;
  readonly ln_3: LayerNorm;
  readonly mlp: Mlp;

  constructor({ nEmbd, nHead }: TransformerConfig, rng: Rng) {
    super();
    this.ln_1 = new LayerNorm(nEmbd);
    this.attn = new SelfAttention(nEmbd, { nHead, rng });
    this.ln_2 = new LayerNorm(nEmbd);
    this.cross_attn = new CrossAttention(nEmbd, { nHead, rng });
    this.ln_3 = new LayerNorm(nEmbd);
    this.mlp = new Mlp(nEmbd, rng);
  }

  override forward(x: Tensor, c: Tensor): Tensor {
    x = addOutput(x, this.attn, (residual) => this.attn.call(this.ln_1.call(x), residual)); // (B, T, C)
    x = addOutput(x, this.cross_attn, (residual) => this.cross_attn.call(this.ln_2.call(x), c, residual));
    return addOutput(x, this.mlp, (residual) => this.mlp.call(this.ln_3.call(x), residual));
  }
}

/**
 * x + part(…). If nobody watches the part's output, the residual is added inside of its last kernel; a hook must see the output alone.
 */
function addOutput(x: Tensor, part: { readonly isHooked: boolean; readonly c_proj: Linear }, run: (residual?: Tensor) => Tensor): Tensor {
  const watched = part.isHooked || part.c_proj.isHooked;
  return watched ? x.add(run()) : run(x);
}

/** Causal self-attention over the strokes so far. */
class SelfAttention extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  readonly c_attn: Linear;
  readonly c_proj: Linear;
  readonly #nHead: number;

  constructor(nEmbd: number, { nHead, rng }: { nHead: number; rng: Rng }) {
    super();
    this.c_attn = new Linear(nEmbd, 3 * nEmbd, { rng });
    this.c_proj = new Linear(nEmbd, nEmbd, { rng });
    this.#nHead = nHead;
  }

  override forward(x: Tensor, residual?: Tensor): Tensor {
    const [q, k, v] = this.c_attn
      .call(x)
      .chunk(3, 2)
      .map((t) => splitHeads(t, this.#nHead)) as [Tensor, Tensor, Tensor]; // (B, H, T, D) each
    const y = scaledDotProductAttention(q, k, v, { causal: true }); // (B, H, T, D)
    return this.c_proj.call(mergeHeads(y), { residual }); // (B, T, C)
  }
}

/** Attention from the strokes to the characters of the text. The text's padding is attended to, as in the original. */
class CrossAttention extends Module<[x: Tensor, c: Tensor, residual?: Tensor], Tensor> {
  readonly c_attn_q: Linear;
  readonly c_attn_kv: Linear;
  readonly c_proj: Linear;
  readonly #nHead: number;

  constructor(nEmbd: number, { nHead, rng }: { nHead: number; rng: Rng }) {
    super();
    this.c_attn_q = new Linear(nEmbd, nEmbd, { rng });
    this.c_attn_kv = new Linear(nEmbd, 2 * nEmbd, { rng });
    this.c_proj = new Linear(nEmbd, nEmbd, { rng });
    this.#nHead = nHead;
  }

  override forward(x: Tensor, c: Tensor, residual?: Tensor): Tensor {
    const q = splitHeads(this.c_attn_q.call(x), this.#nHead); // (B, H, T, D)
    const [k, v] = this.c_attn_kv
      .call(c)
      .chunk(2, 2)
      .map((t) => splitHeads(t, this.#nHead)) as [Tensor, Tensor]; // (B, H, S, D) each
    const y = scaledDotProductAttention(q, k, v); // (B, H, T, D)
    return this.c_proj.call(mergeHeads(y), { residual }); // (B, T, C)
  }
}

/** Two layers with GELU between. */
class Mlp extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  readonly c_fc: Linear;
  readonly c_proj: Linear;
  readonly act: Gelu;

  constructor(nEmbd: number, rng: Rng) {
    super();
    this.c_fc = new Linear(nEmbd, 4 * nEmbd, { rng });
    this.c_proj = new Linear(4 * nEmbd, nEmbd, { rng });
    this.act = new Gelu();
  }

  override forward(x: Tensor, residual?: Tensor): Tensor {
    const watched = this.c_fc.isHooked || this.act.isHooked;
    const hidden = watched ? this.act.call(this.c_fc.call(x)) : this.c_fc.call(x, { activation: "gelu" }); // (B, T, 4C)
    return this.c_proj.call(hidden, { residual }); // (B, T, C)
  }
}

/** (B, T, C) → (B, H, T, D), a view. */
function splitHeads(x: Tensor, nHead: number): Tensor {
  const [b, t, c] = x.shape as [number, number, number];
  return x.reshape([b, t, nHead, c / nHead]).transpose(1, 2);
}

/** (B, H, T, D) → (B, T, C); free, since attention lays its output out that way. */
function mergeHeads(x: Tensor): Tensor {
  const [b, h, t, d] = x.shape as [number, number, number, number];
  return x.transpose(1, 2).reshape([b, t, h * d]);
}
