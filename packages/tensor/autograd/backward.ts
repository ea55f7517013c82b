import type { Device } from "../device/device.ts";
import { Storage } from "../device/memory.ts";
import { BYTES } from "../dtype.ts";
import { AutogradError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { noGrad } from "./apply.ts";
import type { TapeEntry } from "./node.ts";

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** The gradient with respect to the tensor itself; 1 for a scalar. */
  readonly gradient?: Tensor;
  /** Keep the tape, so that backward can run through it again. */
  readonly retainGraph?: boolean;
}

/**
 * Reverse-mode differentiation: walks the tape from `root` and adds ∂root/∂leaf to the `grad` of every leaf that wants one.
 * The gradients are ordinary tensors made by ordinary ops, so a captured step records them like everything else.
 *
 * @throws AutogradError for a tensor that depends on nothing that wants a gradient, for a non-scalar without `gradient`, and for a tape
 * that an earlier backward has used up.
 */
export function backward(root: Tensor, options: BackwardOptions = {}): void {
  if (!root.requiresGrad) throw new AutogradError("Expected a tensor that depends on one with requiresGrad; nothing here has a gradient");
  const seed = options.gradient ?? onesFor(root);
  if (format(seed.shape) !== format(root.shape))
    throw new ShapeError(`backward: gradient ${format(seed.shape)} for a tensor of shape ${format(root.shape)}`);
  noGrad(() => walk(root, seed, options.retainGraph ?? false));
}

function walk(root: Tensor, seed: Tensor, retainGraph: boolean): void {
  const keep = gradientKeeper(seed);
  if (!root.tape) {
    keep(root, seed);
    return;
  }
  const pending = new Map<TapeEntry, (Tensor | null)[]>();
  const give = (target: Tensor, gradient: Tensor): void => {
    const entry = target.tape;
    if (!entry) {
      keep(target, gradient);
      return;
    }
    if (target.retainsGrad) keep(target, gradient);
    const slots = pending.get(entry) ?? entry.outputShapes.map(() => null);
    pending.set(entry, slots);
    const before = slots[target.tapeIndex] ?? null;
    slots[target.tapeIndex] = before ? before.add(gradient) : gradient;
  };

  const take = (target: Tensor): Tensor | undefined => {
    const slots = target.tape && pending.get(target.tape);
    const given = slots?.[target.tapeIndex];
    if (!given || target.retainsGrad) return undefined; // what `grad` keeps has been given to it already
    slots[target.tapeIndex] = null;
    return given;
  };

  const order = topologicalOrder(root.tape);
  give(root, seed);
  for (const entry of order) {
    const gradients = pending.get(entry);
    pending.delete(entry);
    const node = entry.node!;
    if (!retainGraph) entry.node = undefined;
    if (!gradients) continue;
    const needs = node.inputs.map((t) => t.requiresGrad);
    const takePending = (i: number): Tensor | undefined => take(node.inputs[i]!);
    const results = node.op.gradient!({ ...node, gradients, needs, takePending });
    for (let i = 0; i < node.inputs.length; i++) {
      const gradient = results[i];
      if (!needs[i] || !gradient) continue;
      if (format(gradient.shape) !== format(node.inputs[i]!.shape)) {
        throw new ShapeError(`${entry.name}: gradient ${format(gradient.shape)} for an input of shape ${format(node.inputs[i]!.shape)}`);
      }
      give(node.inputs[i]!, gradient);
    }
  }
}

/**
 * Adds gradients to `grad`. Each `grad` gets memory of its own, so that a program may change it in place: gradients that pass through an
 * addition are one tensor for both sides, and those of a sum are one element seen many times.
 */
function gradientKeeper(seed: Tensor): (target: Tensor, gradient: Tensor) => void {
  const taken: Tensor[] = [seed];
  return (target, gradient) => {
    if (target.grad) {
      target.grad = target.grad.add(gradient);
      return;
    }
    const isRepeated = gradient.strides.some((stride, axis) => stride === 0 && gradient.shape[axis]! > 1);
    target.grad = isRepeated || taken.some((t) => mayOverlap(t, gradient)) ? gradient.clone() : gradient;
    taken.push(target.grad);
  };
}

/** Whether two tensors may have elements in common. Neighbours in one storage, as a weight's and its bias's gradients are, have none. */
function mayOverlap(a: Tensor, b: Tensor): boolean {
  if (a.storage !== b.storage) return false;
  const end = (t: Tensor): number => t.offset + t.shape.reduce((last, n, axis) => last + (n - 1) * t.strides[axis]!, 0);
  return a.offset <= end(b) && b.offset <= end(a);
}

/** Entries from the root towards the leaves, each after everything that uses it. */
function topologicalOrder(root: TapeEntry): TapeEntry[] {
  const order: TapeEntry[] = [];
  const state = new Map<TapeEntry, "open" | "done">();
  const stack: TapeEntry[] = [root];
  while (stack.length) {
    const entry = stack.at(-1)!;
    const seen = state.get(entry);
    if (seen) {
      stack.pop();
      if (seen === "open") {
        state.set(entry, "done");
        order.push(entry);
      }
      continue;
    }
    if (!entry.node)
      throw new AutogradError(
        `Expected an unused tape but '${entry.name}' was freed by an earlier backward: pass { retainGraph: true } there`,
      );
    state.set(entry, "open");
    for (const input of entry.node.inputs) if (input.tape && !state.has(input.tape)) stack.push(input.tape);
  }
  return order.reverse();
}

function onesFor(root: Tensor): Tensor {
  if (root.size !== 1)
    throw new AutogradError(`Expected a scalar but found shape ${format(root.shape)}: reduce it first, or pass { gradient }`);
  const { shape, strides, dtype } = root;
  return new Tensor(root.device, oneOn(root.device), { shape, strides, dtype });
}

const ones = new WeakMap<Device, Storage>();

/** A 1 that is there already: a step that filled one anew would cost a launch. Nobody writes to it, for gradients that are kept are copies. */
function oneOn(device: Device): Storage {
  let one = ones.get(device);
  if (!one) {
    one = new Storage(BYTES, { label: "1", pool: device.pool });
    device.upload(one, Float32Array.of(1));
    ones.set(device, one);
  }
  return one;
}
