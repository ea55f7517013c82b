import type { Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** What a gradient rule is given. */
export interface GradientContext<A> {
  readonly inputs: readonly Tensor[];
  /** Everything `forward` returned, hidden outputs too. */
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
  /** One per output; null where no gradient arrived. Never all null. */
  readonly gradients: readonly (Tensor | null)[];
  /** Which inputs want a gradient: work for the others can be left out. */
  readonly needs: readonly boolean[];
  /**
   * Takes what other users of input i have given it so far, if anything: a rule that can add this to its own result at no cost, inside of its
   * kernel, takes it and returns the sum. What nobody takes is added by a kernel of its own.
   */
  readonly takePending: (i: number) => Tensor | undefined;
}

/**
 * An operation: shape rule, kernels and gradient together, one file each. An op without a gradient says so with `null`, it cannot forget it.
 */
export interface Op<A = unknown> {
  readonly name: string;
  /** Checks the inputs and throws ShapeError or DTypeError before anything is launched. */
  check?(inputs: readonly Tensor[], attributes: A): void;
  /** Launches the kernels. */
  forward(inputs: readonly Tensor[], attributes: A): Tensor[];
  /** How many of `forward`'s outputs the caller gets; the rest is kept for the gradient. Default 1. */
  readonly visible?: number;
  /** The inputs' gradients, made of ordinary ops; null where there is none. Shapes equal the inputs'. */
  readonly gradient: ((context: GradientContext<A>) => (Tensor | null)[]) | null;
}

/** One application of an op on the tape: holds what its gradient needs until backward has used it. */
export interface Node {
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly attributes: unknown;
  readonly outputs: readonly Tensor[];
}

/** A tape entry; emptied once backward has gone through it. */
export class TapeEntry {
  readonly name: string;
  node: Node | undefined;
  readonly outputShapes: readonly Shape[];

  constructor(node: Node) {
    this.name = node.op.name;
    this.node = node;
    this.outputShapes = node.outputs.map((t) => t.shape);
  }
}
