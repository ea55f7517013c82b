import type { Command, Range } from "../device/command.ts";
import type { Device } from "../device/device.ts";
import { kernel } from "../device/kernel.ts";
import { ALIGNMENT, Storage } from "../device/memory.ts";
import { BYTES } from "../dtype.ts";
import { isLasting, overlap, type Recording } from "./recording.ts";

/**
 * Lets one launch add up the shares of all sums whose totals nobody wants before a later launch: those of the gradients, which only the
 * optimizer reads. Backward then has a launch less for each parameter. The shares lie side by side in one storage until then; the order within
 * each sum stays, and so do the bits.
 */
export function mergeSums(recording: Recording, device: Device): void {
  for (const total of new Set(recording.commands.filter(isSum).map((sum) => sum.ranges[OUT]!.storage))) {
    if (isLasting(total)) mergeInto(total, { recording, device });
  }
}

/** Bytes that all shares may take until they are added up: more memory than that is worth more than launches. */
const MOST_BYTES = 64 << 20;
/** Elements that a workgroup adds up. */
const LINE = 256;
/** Where `shaders/sum_slices.wgsl` binds them. */
const [PARTIALS, OUT] = [0, 1];

/** A sum, and the launch that leaves its shares. */
interface Sum {
  readonly command: Command;
  readonly writer: Command;
}

const isSum = ({ kernel: { shader, entry } }: Command): boolean => shader === "sum_slices" && entry === "main";

function mergeInto(total: Storage, { recording, device }: { recording: Recording; device: Device }): void {
  const sums = mergeable(total, { commands: recording.commands, most: Math.min(MOST_BYTES, device.limits.maxStorageBufferBindingSize) });
  if (sums.length < 2) return;
  const shares = new Storage(sharesBytes(sums), { label: "shares of sums" });
  const lines: number[] = [];
  let at = 0;
  for (const { command, writer } of sums) {
    const { storage } = command.ranges[PARTIALS]!;
    const begin = at;
    writer.ranges = writer.ranges.map((r) => (r.storage === storage ? { storage: shares, offset: begin + r.offset, bytes: r.bytes } : r));
    lines.push(...linesOf(command, begin));
    at += aligned(storage.bytes);
  }
  const merged = device.command(kernel("sum_slices", "table"), {
    bindings: {
      partials: { storage: shares, offset: 0, bytes: shares.bytes },
      out: { storage: total, offset: 0, bytes: total.bytes },
      lines: uploaded(lines, device),
    },
    params: { lines: lines.length / FIELDS },
    workgroups: lines.length / FIELDS,
  });
  const replaced = new Set(sums.map((sum) => sum.command));
  const last = recording.items.findLastIndex((item) => "command" in item && replaced.has(item.command));
  recording.items = recording.items.flatMap((item, i) => {
    if (i === last) return [{ command: merged }];
    return "command" in item && replaced.has(item.command) ? [] : [item];
  });
}

/** The sums into a storage of which none is wanted before the last of them is added up, and whose shares are nobody else's. */
function mergeable(total: Storage, { commands, most }: { commands: readonly Command[]; most: number }): Sum[] {
  const users = new Map<Storage, Command[]>();
  for (const command of commands)
    for (const storage of new Set(command.ranges.map((r) => r.storage))) users.set(storage, [...(users.get(storage) ?? []), command]);
  const found: Sum[] = [];
  let bytes = 0;
  for (const command of commands) {
    // Whoever looks at a total, or writes where one belongs, ends the stretch.
    const touched = command.ranges.filter((r) => r.storage === total);
    if (touched.some((r) => found.some((sum) => overlap(r, sum.command.ranges[OUT]!)))) break;
    if (!isSum(command) || command.ranges[OUT]!.storage !== total) continue;
    const { storage } = command.ranges[PARTIALS]!;
    const [writer, reader, ...others] = users.get(storage)!;
    const isTheirs = !isLasting(storage) && reader === command && others.length === 0 && onlyWrites(writer!, storage);
    bytes += isTheirs ? aligned(storage.bytes) : 0;
    if (bytes > most) break;
    if (isTheirs) found.push({ command, writer: writer! });
  }
  return found;
}

function onlyWrites(command: Command, storage: Storage): boolean {
  const { bindings } = command.kernel.interface;
  return command.ranges.every((r, i) => r.storage !== storage || bindings[i]!.access === "write");
}

const FIELDS = 5;

/** A sum's lines of the table: where shares begin, where the total belongs, how many elements, how far slices are apart, how many. */
function linesOf(command: Command, begin: number): number[] {
  const { first, second, secondCount, slice, splits } = parametersOf(command);
  const [from, to] = [(begin + command.ranges[PARTIALS]!.offset) / BYTES, command.ranges[OUT]!.offset / BYTES];
  const lines: number[] = [];
  for (const [start, count] of [[0, first], [second, secondCount]] as const) // biome-ignore format: pairs
    for (let i = 0; i < count; i += LINE) lines.push(from + start + i, to + start + i, Math.min(LINE, count - i), slice, splits);
  return lines;
}

function parametersOf({ kernel, params }: Command) {
  const words = new DataView(params);
  const named = Object.fromEntries(kernel.interface.params.map(({ name, word }) => [name, words.getUint32(4 * word, true)]));
  return named as Record<"first" | "second" | "secondCount" | "slice" | "splits", number>;
}

function uploaded(words: readonly number[], device: Device): Range {
  const storage = new Storage(words.length * BYTES, { label: "table of sums", pool: device.pool });
  device.upload(storage, Uint32Array.from(words));
  return { storage, offset: 0, bytes: words.length * BYTES };
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

const sharesBytes = (sums: readonly Sum[]): number =>
  sums.reduce((bytes, { command }) => bytes + aligned(command.ranges[PARTIALS]!.storage.bytes), 0);
