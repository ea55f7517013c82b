// counting_sort — one stable pass of a counting sort by a digit of integer keys, for many rows at once.
//   keys [rows, n] in; order [rows, n] in (the places of a row in their order so far; not read by the first pass) and out.
// A row is cut into chunks of `chunk` places. One invocation walks a chunk in order, so equal digits keep their order and nothing is
// atomic: the result is the only stable one, whatever the chunks are.
//   count:   table[row, c, d] = how often digit d occurs in chunk c          dispatch: rows · ceil(chunks / 32)
//   prefix:  table[row, c, d] = how often it occurs in the chunks before c;
//            totals[row, d]   = how often in the row                         dispatch: rows · ceil(bins / BINS)
//   scatter: order out; starts[row, d] = first place of digit d in it (and starts[row, bins] = n)
//                                                                            dispatch: as count
// Preconditions: bins ≤ 2048; keys' digits < bins; table has rows · chunks · bins entries.
// Dispatch: as said beside each entry point, folded into x and y.
// Source: Knuth, The Art of Computer Programming 3, 5.2 (distribution counting) and 5.2.5 (radix sorting, least digit first).

struct Params {
  rows: u32,
  n: u32,
  chunk: u32,
  chunks: u32,
  bins: u32,
  // The digit is (key >> shift) & mask.
  shift: u32,
  mask: u32,
  // Whether places are still in their natural order, so that `order` is not read.
  first: u32,
  // How keys become sortable: 0: min(key, limit), 1: f32, 2: i32, 3: u32.
  kind: u32,
  limit: u32,
  // All ones for descending order, else 0.
  flip: u32,
}

const WALKERS = 32u;
const BINS = 16u; //#param
const PARTS = 16u; //#param

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> table: array<u32>;
@group(0) @binding(4) var<storage, read_write> totals: array<u32>;
@group(0) @binding(5) var<storage, read> sums: array<u32>; // totals, once they are known
@group(0) @binding(4) var<storage, read_write> sorted: array<u32>;
@group(0) @binding(6) var<storage, read_write> starts: array<u32>;

var<workgroup> partial: array<u32, 256>;
var<workgroup> first_of: array<u32, 2048>;

// An order-preserving map to u32: −0 equals 0, and every NaN is the greatest.
fn sortable(bits: u32) -> u32 {
  if (params.kind == 0u) { return min(bits, params.limit); }
  if (params.kind == 3u) { return bits ^ params.flip; }
  if (params.kind == 2u) { return (bits ^ 0x80000000u) ^ params.flip; }
  let magnitude = bits & 0x7fffffffu;
  var key = select(~bits, bits | 0x80000000u, bits == magnitude);
  key = select(key, 0x80000000u, magnitude == 0u);
  key = select(key, 0xffffffffu, magnitude > 0x7f800000u);
  return key ^ params.flip;
}

// The place that stands at `i` of a row so far.
fn place_at(row: u32, i: u32) -> u32 {
  if (params.first != 0u) { return i; }
  return order[row * params.n + i];
}

fn digit_of(row: u32, place: u32) -> u32 {
  return (sortable(keys[row * params.n + place]) >> params.shift) & params.mask;
}

@compute @workgroup_size(WALKERS)
fn count(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let w = group.x + group.y * groups.x;
  let per_row = (params.chunks + WALKERS - 1u) / WALKERS;
  let row = w / per_row;
  let from_chunk = (w % per_row) * WALKERS;
  let live = select(0u, min(WALKERS, params.chunks - from_chunk), row < params.rows);
  let base = (row * params.chunks + from_chunk) * params.bins;
  for (var i = lane; i < live * params.bins; i += WALKERS) { table[base + i] = 0u; }
  storageBarrier();
  if (lane < live) {
    let begin = (from_chunk + lane) * params.chunk;
    let end = min(begin + params.chunk, params.n);
    for (var i = begin; i < end; i++) {
      table[base + lane * params.bins + digit_of(row, place_at(row, i))]++;
    }
  }
}

@compute @workgroup_size(BINS, PARTS)
fn prefix(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) id: vec3u) {
  let w = group.x + group.y * groups.x;
  let per_row = (params.bins + BINS - 1u) / BINS;
  let row = w / per_row;
  let bin = (w % per_row) * BINS + id.x;
  let live = row < params.rows && bin < params.bins;
  let share = (params.chunks + PARTS - 1u) / PARTS;
  let begin = min(id.y * share, params.chunks);
  let end = min(begin + share, params.chunks);
  let base = row * params.chunks * params.bins + bin;
  var sum = 0u;
  if (live) {
    for (var c = begin; c < end; c++) { sum += table[base + c * params.bins]; }
  }
  partial[id.y * BINS + id.x] = sum;
  workgroupBarrier();
  if (live) {
    var before = 0u;
    for (var p = 0u; p < id.y; p++) { before += partial[p * BINS + id.x]; }
    for (var c = begin; c < end; c++) {
      let here = table[base + c * params.bins];
      table[base + c * params.bins] = before;
      before += here;
    }
    if (id.y == PARTS - 1u) { totals[row * params.bins + bin] = before; }
  }
}

@compute @workgroup_size(WALKERS)
fn scatter(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let w = group.x + group.y * groups.x;
  let per_row = (params.chunks + WALKERS - 1u) / WALKERS;
  let row = min(w / per_row, params.rows - 1u);
  let from_chunk = (w % per_row) * WALKERS;
  let live = select(0u, min(WALKERS, params.chunks - from_chunk), w / per_row < params.rows);

  // Every workgroup sums the few totals of its row by itself, which is cheaper than one more dispatch.
  let share = (params.bins + WALKERS - 1u) / WALKERS;
  let from_bin = min(lane * share, params.bins);
  let to_bin = min(from_bin + share, params.bins);
  var sum = 0u;
  for (var d = from_bin; d < to_bin; d++) { sum += sums[row * params.bins + d]; }
  partial[lane] = sum;
  workgroupBarrier();
  var before = 0u;
  for (var p = 0u; p < lane; p++) { before += partial[p]; }
  for (var d = from_bin; d < to_bin; d++) {
    first_of[d] = before;
    before += sums[row * params.bins + d];
  }
  workgroupBarrier();
  if (live > 0u && from_chunk == 0u) {
    for (var d = lane; d <= params.bins; d += WALKERS) {
      starts[row * (params.bins + 1u) + d] = select(params.n, first_of[min(d, params.bins - 1u)], d < params.bins);
    }
  }

  if (lane < live) {
    let slots = (row * params.chunks + from_chunk + lane) * params.bins;
    let begin = (from_chunk + lane) * params.chunk;
    let end = min(begin + params.chunk, params.n);
    for (var i = begin; i < end; i++) {
      let place = place_at(row, i);
      let digit = digit_of(row, place);
      let rank = table[slots + digit];
      table[slots + digit] = rank + 1u;
      sorted[row * params.n + first_of[digit] + rank] = place;
    }
  }
}
