import type { Command, Range } from "../device/command.ts";
import type { Recorder } from "../device/device.ts";
import { ALIGNMENT, type Storage } from "../device/memory.ts";
import { liveCommands, type PlanStep } from "./plan.ts";

/** What a step does, in order: launches, and things the host does at every run. */
export type RecordedItem = { readonly command: Command } | { readonly effect: () => void };

/** A step as data: recorded, then simplified, before it gets memory. */
export class Recording implements Recorder {
  items: RecordedItem[] = [];

  command(command: Command): void {
    this.items.push({ command });
  }

  effect(run: () => void): void {
    this.items.push({ effect: run });
  }

  get commands(): Command[] {
    return this.items.flatMap((item) => ("command" in item ? [item.command] : []));
  }

  /** Leaves out commands whose results nobody uses. Live parameters of such commands still advance their streams through effects. */
  dropUnused(returned: ReadonlySet<Storage>): void {
    const { commands } = this;
    const live = liveCommands(
      commands.map((c) => usage(c)),
      (i) => writes(commands[i]!).some((r) => isLasting(r.storage) || returned.has(r.storage)),
    );
    const dead = new Set(commands.filter((_, i) => !live[i]));
    this.items = this.items.filter((item) => !("command" in item && dead.has(item.command)));
  }

  /**
   * Where a temporary is written by one command only and then merely copied whole to a lasting place, lets that command write there and
   * drops the copy: this is how gradients get into the optimizer's arena.
   */
  elideCopies(returned: ReadonlySet<Storage>): void {
    for (const copy of this.commands) {
      if (copy.kernel.shader !== "copy" || copy.kernel.entry !== "straight") continue;
      const [destination, source] = this.#copyEnds(copy);
      if (!isLasting(destination.storage) || isLasting(source.storage) || returned.has(source.storage)) continue;
      const { commands } = this;
      const users = commands.filter((c) => c !== copy && c.ranges.some((r) => r.storage === source.storage));
      const writer = users[0];
      if (users.length !== 1 || !writer || !this.#mayWriteTo(destination, { writer, copy, source })) continue;
      const moved: Command = { ...writer, ranges: writer.ranges.map((r) => (r.storage === source.storage ? shift(r, destination) : r)) };
      this.items = this.items.filter((item) => !("command" in item && item.command === copy));
      this.items = this.items.map((item) => ("command" in item && item.command === writer ? { command: moved } : item));
    }
  }

  #copyEnds(copy: Command): [destination: Range, source: Range] {
    const at = copy.kernel.interface.bindings.findIndex((b) => b.access === "write");
    return [copy.ranges[at]!, copy.ranges[1 - at]!];
  }

  #mayWriteTo(destination: Range, { writer, copy, source }: { writer: Command; copy: Command; source: Range }): boolean {
    const bindings = writer.kernel.interface.bindings;
    const whole = writer.ranges.every((r) => r.storage !== source.storage || (r.offset === source.offset && r.offset === 0));
    const onlyWrites = writer.ranges.every((r, i) => r.storage !== source.storage || bindings[i]!.access === "write");
    const noClash = writer.ranges.every(
      (r, i) => r.storage !== destination.storage || (bindings[i]!.access === "write" && !overlap(r, destination)),
    );
    const { commands } = this;
    const between = commands.slice(commands.indexOf(writer) + 1, commands.indexOf(copy));
    const untouched = between.every((c) => c.ranges.every((r) => r.storage !== destination.storage || !overlap(r, destination)));
    return (
      whole &&
      onlyWrites &&
      noClash &&
      untouched &&
      destination.offset % ALIGNMENT === 0 &&
      commands.indexOf(writer) < commands.indexOf(copy)
    );
  }
}

/** Storages with memory of their own outlive the step; the others are its temporaries. */
export function isLasting(storage: Storage): boolean {
  return storage.buffer !== undefined;
}

/** The temporaries that a command reads and writes. */
export function usage(command: Command): PlanStep {
  const ids = (access: "read" | "write"): number[] =>
    command.ranges.flatMap((r, i) =>
      command.kernel.interface.bindings[i]!.access === access && !isLasting(r.storage) ? [r.storage.id] : [],
    );
  return { reads: ids("read"), writes: ids("write") };
}

function writes(command: Command): Range[] {
  return command.ranges.filter((_, i) => command.kernel.interface.bindings[i]!.access === "write");
}

const overlap = (a: Range, b: Range): boolean => a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

const shift = (range: Range, destination: Range): Range => ({
  storage: destination.storage,
  offset: destination.offset,
  bytes: Math.min(range.bytes, destination.bytes),
});
