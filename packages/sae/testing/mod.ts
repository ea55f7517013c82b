/** What tests of programs on top of autoencoders may use: activations whose true features are known, and losses in float64. */
export * from "./mean_max_cosine.ts";
export * from "./oracle.ts";
export * from "./sparse_dictionary.ts";
