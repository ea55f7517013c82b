/** The columns of {@link makeTokenDf}, under the notebook's names; a row for each token. */
export interface TokenDf {
  /** The token's id. */
  readonly str_tokens: readonly string[];
  /** Id and place: `150/1`. */
  readonly unique_token: readonly string[];
  /** Ids before, the token, ids after: `337150|322|258`. */
  readonly context: readonly string[];
  /** Always 0. */
  readonly batch: readonly number[];
  readonly pos: readonly number[];
  /** `0/1` */
  readonly label: readonly string[];
}

/**
 * The notebook's `make_token_df` of one sequence of tokens: what it sorted by a feature's activation for its table. With its flaws: ids in a context have
 * nothing between them, the last token is in no suffix, and where the notebook gave it a whole batch, flattened, contexts run across sequences. It is
 * here to compare with the notebook; `tokenTable` of `@cursive/sae/dashboard` is the same table, decoded.
 *
 * @param options `lenPrefix`, `lenSuffix`: tokens before and after in a context. Default 5 and 1.
 * @example
 * ```ts
 * const { context, label } = makeTokenDf(tokens);
 * const order = activations.map((_, place) => place).sort((a, b) => activations[b] - activations[a]);
 * for (const place of order.slice(0, 20)) console.log(label[place], context[place], activations[place]);
 * ```
 */
export function makeTokenDf(
  tokens: ArrayLike<number>,
  { lenPrefix = 5, lenSuffix = 1 }: { readonly lenPrefix?: number; readonly lenSuffix?: number } = {},
): TokenDf {
  const ids = Array.from(tokens, String);
  const places = ids.map((_, place) => place);
  return {
    str_tokens: ids,
    unique_token: ids.map((id, place) => `${id}/${place}`),
    context: ids.map((id, place) => {
      const before = ids.slice(Math.max(0, place - lenPrefix), place);
      const after = ids.slice(place + 1, Math.max(place + 1, Math.min(ids.length - 1, place + 1 + lenSuffix)));
      return `${before.join("")}|${id}|${after.join("")}`;
    }),
    batch: places.map(() => 0),
    pos: places,
    label: places.map((place) => `0/${place}`),
  };
}
