/**
 * Sparse autoencoders on the cursive transformer's activations: training, evaluation and analysis.
 *
 * This room is empty for now: the tensor engine and the model that it stands on come first.
 *
 * @module
 */
export {};
