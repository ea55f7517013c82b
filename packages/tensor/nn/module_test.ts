import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HookError, TensorError } from "../errors.ts";
import type { HookHandle } from "./hook.ts";
import { Module, ModuleList, observeModules } from "./module.ts";

/** Adds a number: hooks can be tested without a GPU. */
class Add extends Module<[number], number> {
  readonly amount: number;
  constructor(amount: number) {
    super();
    this.amount = amount;
  }
  override forward(x: number): number {
    return x + this.amount;
  }
}

class Pair extends Module<[number], number> {
  readonly first = new Add(1);
  readonly rest = new ModuleList([new Add(10), new Add(100)]);
  override forward(x: number): number {
    let y = this.first.call(x);
    for (const part of this.rest) y = part.call(y);
    return y;
  }
}

describe("Module", () => {
  it("names its parts by field and place, and finds them by name", () => {
    const pair = new Pair();
    expect([...pair.namedModules()].map(([name]) => name)).toEqual(["", "first", "rest", "rest.0", "rest.1"]);
    expect(pair.getSubmodule("rest.1")).toBe(pair.rest.at(1));
  });

  it("names the nearest parts for an unknown name", () => {
    expect(() => new Pair().getSubmodule("frist")).toThrow(TensorError);
    expect(() => new Pair().getSubmodule("frist")).toThrow("Expected a module name but found 'frist'; nearest: first");
  });

  it("lets a hook see inputs and output, and replace the output by returning one", () => {
    const pair = new Pair();
    const seen: unknown[] = [];
    const watch = pair.first.registerForwardHook((module, inputs, output) => {
      seen.push([module === pair.first, inputs, output]);
      return undefined;
    });
    expect(pair.call(0)).toBe(111);
    expect(seen).toEqual([[true, [0], 1]]);
    watch.remove();
    pair.first.registerForwardHook(() => 5);
    expect(pair.call(0)).toBe(115);
  });

  it("lets a pre-hook replace the inputs", () => {
    const pair = new Pair();
    pair.rest.at(0).registerForwardPreHook((_module, [x]) => [2 * x]);
    expect(pair.call(0)).toBe(112);
  });

  it("goes on with the others when a hook removes itself while running", () => {
    const add = new Add(0);
    const calls: string[] = [];
    const once: HookHandle = add.registerForwardHook(() => {
      calls.push("once");
      once.remove();
      return undefined;
    });
    add.registerForwardHook(() => {
      calls.push("always");
      return undefined;
    });
    add.call(0);
    add.call(0);
    expect(calls).toEqual(["once", "always", "always"]);
  });

  it("lets a hook's error through and stays usable", () => {
    const add = new Add(1);
    const bad = add.registerForwardHook(() => {
      throw new Error("from the hook");
    });
    expect(() => add.call(0)).toThrow("from the hook");
    bad.remove();
    expect(add.call(0)).toBe(1);
  });

  it("runs a prepended hook, and a prepended pre-hook, before the others", () => {
    const add = new Add(1);
    add.registerForwardHook((_module, _inputs, y) => 10 * y);
    add.registerForwardHook((_module, _inputs, y) => y + 5, { prepend: true });
    expect(add.call(0)).toBe(60);
    add.registerForwardPreHook((_module, [x]) => [x + 1]);
    add.registerForwardPreHook((_module, [x]) => [3 * x], { prepend: true });
    expect(add.call(2)).toBe(10 * (3 * 2 + 1 + 1 + 5));
  });

  it("forgets a hook at the end of a block that uses it, whether the block ends or throws", () => {
    const add = new Add(1);
    const broken = (): void => {
      using _hook = add.registerForwardHook(() => 7);
      expect(add.call(0)).toBe(7);
      throw new Error("in the block");
    };
    expect(broken).toThrow("in the block");
    expect(add.call(0)).toBe(1);
    expect(add.isHooked).toBe(false);
  });

  it("refuses a hook that is asynchronous, and does not leave its failure unhandled", () => {
    const add = new Add(1);
    add.registerForwardHook((async () => {
      throw new Error("later");
    }) as never);
    expect(() => add.call(0)).toThrow(HookError);
    expect(() => add.call(0)).toThrow("Expected a hook that returns a replacement or nothing but found a promise");
  });

  it("reports the modules whose hooks mattered, asked or called", () => {
    const pair = new Pair();
    const seen = new Set<unknown>();
    observeModules(
      (m) => seen.add(m),
      () => {
        pair.call(0);
        return new Add(1).isHooked;
      },
    );
    expect(seen.size).toBe(5);
  });
});

/** A hook registry is a list: this is the whole specification that the random sequences below are held against. */
type Model = { hooks: { id: number; factor: number }[]; next: number };
type Real = { module: Add; handles: Map<number, HookHandle>; state: string };

class Register implements fc.Command<Model, Real> {
  readonly factor: number;
  readonly prepend: boolean;
  constructor(factor: number, prepend: boolean) {
    this.factor = factor;
    this.prepend = prepend;
  }
  check = (): boolean => true;
  run(model: Model, real: Real): void {
    model.hooks[this.prepend ? "unshift" : "push"]({ id: model.next, factor: this.factor });
    real.handles.set(
      model.next++,
      real.module.registerForwardHook((_m, _i, out) => out * this.factor + 1, { prepend: this.prepend }),
    );
    expect(real.module.hookState()).not.toBe(real.state);
    real.state = real.module.hookState();
  }
  toString = (): string => `register(${this.factor}${this.prepend ? ", first" : ""})`;
}

class Remove implements fc.Command<Model, Real> {
  readonly pick: number;
  constructor(pick: number) {
    this.pick = pick;
  }
  check = (model: Readonly<Model>): boolean => model.next > 0;
  run(model: Model, real: Real): void {
    const id = this.pick % model.next; // possibly one that was removed before: that must change nothing
    const present = model.hooks.some((h) => h.id === id);
    model.hooks = model.hooks.filter((h) => h.id !== id);
    real.handles.get(id)!.remove();
    expect(real.module.hookState() !== real.state).toBe(present);
    real.state = real.module.hookState();
  }
  toString = (): string => `remove(${this.pick})`;
}

class Call implements fc.Command<Model, Real> {
  readonly x: number;
  constructor(x: number) {
    this.x = x;
  }
  check = (): boolean => true;
  run(model: Model, real: Real): void {
    const expected = model.hooks.reduce((y, h) => y * h.factor + 1, this.x + 3);
    expect(real.module.call(this.x)).toBe(expected);
    expect(real.module.isHooked).toBe(model.hooks.length > 0);
  }
  toString = (): string => `call(${this.x})`;
}

describe("the hook registry", () => {
  it("behaves like a list under any sequence of registrations, removals and calls", () => {
    const small = fc.integer({ min: -3, max: 3 });
    const commands = [
      fc.tuple(small, fc.boolean()).map(([f, prepend]) => new Register(f, prepend)),
      fc.nat(20).map((p) => new Remove(p)),
      small.map((x) => new Call(x)),
    ];
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 60 }), (sequence) => {
        fc.modelRun(
          () => ({ model: { hooks: [], next: 0 }, real: { module: new Add(3), handles: new Map(), state: new Add(3).hookState() } }),
          sequence,
        );
      }),
    );
  });
});
