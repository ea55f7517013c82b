import type { Command, Range } from "../device/command.ts";
import type { Recorder } from "../device/device.ts";
import { ALIGNMENT, type Storage } from "../device/memory.ts";
import type { StorageBinding } from "../device/reflect.ts";
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
   * Where a temporary is only written, by one command or several, and then merely copied to a lasting place, in one piece or in several that
   * keep their distances, lets those commands write there and drops the copies: this is how gradients get into the optimizer's arena.
   */
  elideCopies(returned: ReadonlySet<Storage>): void {
    const users = new Map<Storage, Command[]>();
    for (const command of this.commands) {
      for (const storage of new Set(command.ranges.map((r) => r.storage))) users.set(storage, [...(users.get(storage) ?? []), command]);
    }
    for (const [temporary, commands] of users) {
      const writers = commands.slice(0, commands.findLastIndex((command) => !copiesFrom(command, temporary)) + 1);
      const copies = commands.slice(writers.length);
      if (isLasting(temporary) || returned.has(temporary) || writers.length === 0) continue;
      const move = this.#destinationOf(copies);
      if (!move || !this.#mayWriteTo(move, { writers, copies, temporary })) continue;
      for (const writer of writers) writer.ranges = writer.ranges.map((r) => (r.storage === temporary ? shift(r, move) : r));
      this.items = this.items.filter((item) => !("command" in item && copies.includes(item.command)));
    }
  }

  /** The place that all of a temporary's copies go to. */
  #destinationOf(copies: readonly Command[]): Move | undefined {
    let move: Move | undefined;
    for (const copy of copies) {
      const { destination, source } = endsOf(copy);
      const found = { storage: destination.storage, by: destination.offset - source.offset };
      if (!isLasting(destination.storage)) return undefined;
      if (move && (move.storage !== found.storage || move.by !== found.by)) return undefined;
      move = found;
    }
    return move && move.by >= 0 && move.by % ALIGNMENT === 0 ? move : undefined;
  }

  /** Whether the writers may write to the place themselves, and nobody else touches the place before the copies did. */
  #mayWriteTo(
    move: Move,
    { writers, copies, temporary }: { writers: readonly Command[]; copies: readonly Command[]; temporary: Storage },
  ): boolean {
    const uses = (c: Command) => c.ranges.map((range, i) => ({ range, binding: c.kernel.interface.bindings[i]! }));
    const ofTemporary = writers.flatMap(uses).filter(({ range }) => range.storage === temporary);
    const places = ofTemporary.map(({ range }) => shift(range, move));
    const touches = (c: Command): boolean => c.ranges.some((r) => r.storage === move.storage && places.some((p) => overlap(p, r)));
    const isWhole = ofTemporary.every(({ range, binding }) => this.#isReplaced(shift(range, move), { copies, binding }));
    const onlyWrite = ofTemporary.every(({ binding }) => binding.access === "write");
    // One dispatch must not read a buffer and write it, not even elsewhere.
    const noClash = writers.flatMap(uses).every(({ range, binding }) => range.storage !== move.storage || binding.access === "write");
    const { commands } = this;
    const until = Math.max(...copies.map((c) => commands.indexOf(c)));
    const meanwhile = commands.slice(commands.indexOf(writers[0]!), until).filter((c) => !copies.includes(c));
    return isWhole && onlyWrite && noClash && places.every((p) => p.offset + p.bytes <= move.storage.bytes) && !meanwhile.some(touches);
  }

  /**
   * Whether the copies fill a place to its end, so that the writer puts nothing beside what they would have put there. Between two of them
   * there may be what aligns the second: writers leave that alone, but those that write whole vectors do not.
   */
  #isReplaced(place: Range, { copies, binding }: { copies: readonly Command[]; binding: StorageBinding }): boolean {
    if (binding.isVector && place.bytes % 16 !== 0) return false;
    const pieces = copies.map((copy) => writes(copy)[0]!).sort((a, b) => a.offset - b.offset);
    let covered = place.offset;
    for (const { offset, bytes } of pieces) {
      if (offset > Math.ceil(covered / ALIGNMENT) * ALIGNMENT) return false;
      covered = Math.max(covered, offset + bytes);
    }
    return covered >= place.offset + place.bytes;
  }
}

/** Where a temporary's contents belong: its byte 0 at byte `by` of a lasting storage. */
interface Move {
  readonly storage: Storage;
  readonly by: number;
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

/** Whether a command is nothing but a copy of a part of a temporary, or of all of it. */
function copiesFrom(command: Command, temporary: Storage): boolean {
  const { shader, entry } = command.kernel;
  return shader === "copy" && entry === "straight" && endsOf(command).source.storage === temporary;
}

/** From where to where a copy goes. */
function endsOf({ kernel, ranges }: Command): { readonly source: Range; readonly destination: Range } {
  const at = kernel.interface.bindings.findIndex((b) => b.access === "write");
  return { source: ranges[1 - at]!, destination: ranges[at]! };
}

function writes(command: Command): Range[] {
  return command.ranges.filter((_, i) => command.kernel.interface.bindings[i]!.access === "write");
}

/** Whether two stretches of one storage have bytes in common. */
export const overlap = (a: Range, b: Range): boolean => a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

const shift = (range: Range, { storage, by }: Move): Range => ({ storage, offset: range.offset + by, bytes: range.bytes });
