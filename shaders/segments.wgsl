// segments — sums of rows grouped by an index, in a fixed order and without atomics.
//   source [outer, n, inner], index [n] → out [outer, vocab, inner]:  out[o, v, i] = Σ source[o, j, i] over j with index[j] = v.
// `order` lists the n places sorted (stably) by index and starts[v] … starts[v + 1] is v's segment of it; indices beyond vocab stand behind
// all segments and are left out. The sorted places are cut into tiles of `tile`. A tile's segments that lie inside of it are summed and
// written at once; of the two that may reach beyond it, carry[t, 0] keeps the part of the one that began before the tile and
// carry[t, 1] the part of one that begins here and goes on: so a segment of any length is shared out evenly.
//   sum_tiles:  dispatch: ceil(tiles · outer · columns / 64), one invocation a tile and column
//   finish:     dispatch ceil(vocab · outer · columns / 64): joins carries, writes zeros where a segment is empty
//   bounds:     starts from the sorted keys by bisection; dispatch ceil((vocab + 1) / 64)
// Few places on a software adapter are not worth the sorting:
//   walk:       one invocation a column adds row after row to out, where its sums stay; nothing is sorted, nobody else writes there.
//               dispatch ceil(outer · columns / 8)
// With index [.., period] it takes the rows that stand at the same place of the last axis one after another: so PERIODIC has their sum at
// hand, in a register, and stores it in periodic [period, inner] (outer is 1 then): positions' gradients beside tokens'.
// A column is VEC elements of inner: 4, or 1 where 4 does not divide it.

const VEC = 4u; //#param
const PERIODIC = false; //#param

struct Params {
  n: u32,
  vocab: u32,
  outer: u32,
  // inner / VEC
  columns: u32,
  tile: u32,
  tiles: u32,
  period: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read_write> new_starts: array<u32>;
@group(0) @binding(4) var<storage, read> source4: array<vec4f>;
@group(0) @binding(4) var<storage, read> source1: array<f32>;
@group(0) @binding(5) var<storage, read_write> carry4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> carry1: array<f32>;
@group(0) @binding(6) var<storage, read_write> out4: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out1: array<f32>;
@group(0) @binding(7) var<storage, read_write> periodic4: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> periodic1: array<f32>;

fn read_source(at: u32) -> vec4f {
  //#if VEC == 4
  return source4[at];
  //#else
  //| return vec4f(source1[at], 0.0, 0.0, 0.0);
  //#end
}

fn write_out(at: u32, value: vec4f) {
  //#if VEC == 4
  out4[at] = value;
  //#else
  //| out1[at] = value.x;
  //#end
}

fn add_to_out(at: u32, value: vec4f) {
  //#if VEC == 4
  out4[at] += value;
  //#else
  //| out1[at] += value.x;
  //#end
}

fn write_periodic(at: u32, value: vec4f) {
  //#if VEC == 4
  periodic4[at] = value;
  //#else
  //| periodic1[at] = value.x;
  //#end
}

// Where a column of the first of `rows` rows lies.
fn column_place(rows: u32, column: u32) -> u32 {
  return (column / params.columns) * rows * params.columns + column % params.columns;
}

// Column `column` of the row at place `place` of the sorted order.
fn row_at(place: u32, column: u32) -> vec4f {
  return read_source(column_place(params.n, column) + order[place] * params.columns);
}

fn write_sum(v: u32, column: u32, value: vec4f) {
  write_out(column_place(params.vocab, column) + v * params.columns, value);
}

fn carry_place(tile: u32, which: u32, column: u32) -> u32 {
  return (tile * 2u + which) * params.outer * params.columns + column;
}

fn write_carry(at: u32, value: vec4f) {
  //#if VEC == 4
  carry4[at] = value;
  //#else
  //| carry1[at] = value.x;
  //#end
}

fn read_carry(at: u32) -> vec4f {
  //#if VEC == 4
  return carry4[at];
  //#else
  //| return vec4f(carry1[at], 0.0, 0.0, 0.0);
  //#end
}

@compute @workgroup_size(64)
fn sum_tiles(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let width = params.outer * params.columns;
  if (i >= params.tiles * width) { return; }
  let tile = i / width;
  let column = i % width;
  let first = tile * params.tile;
  let last = min(first + params.tile, params.n);
  var place = first;
  while (place < last) {
    let v = index[order[place]];
    if (v >= params.vocab) { break; }
    let begin = starts[v];
    let end = starts[v + 1u];
    // At least one place a turn, so that no data whatever can make this loop endless.
    let stop = clamp(end, place + 1u, last);
    var sum = vec4f(0.0);
    for (; place + 4u <= stop; place += 4u) {
      sum += (row_at(place, column) + row_at(place + 1u, column)) + (row_at(place + 2u, column) + row_at(place + 3u, column));
    }
    for (; place < stop; place++) { sum += row_at(place, column); }
    if (begin >= first && end <= last) {
      write_sum(v, column, sum);
    } else {
      write_carry(carry_place(tile, select(1u, 0u, begin < first), column), sum);
    }
  }
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let width = params.outer * params.columns;
  if (i >= params.vocab * width) { return; }
  let v = i / width;
  let column = i % width;
  let begin = starts[v];
  let end = starts[v + 1u];
  if (begin == end) {
    write_sum(v, column, vec4f(0.0));
    return;
  }
  let first = begin / params.tile;
  let last = (end - 1u) / params.tile;
  if (first == last) { return; }
  var sum = read_carry(carry_place(first, 1u, column));
  var t = first + 1u;
  for (; t + 3u <= last; t += 4u) {
    sum += (read_carry(carry_place(t, 0u, column)) + read_carry(carry_place(t + 1u, 0u, column))) +
      (read_carry(carry_place(t + 2u, 0u, column)) + read_carry(carry_place(t + 3u, 0u, column)));
  }
  for (; t <= last; t++) { sum += read_carry(carry_place(t, 0u, column)); }
  write_sum(v, column, sum);
}

@compute @workgroup_size(64)
fn bounds(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let v = id.x + id.y * groups.x * 64u;
  if (v > params.vocab) { return; }
  var low = 0u;
  var high = params.n;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (index[order[middle]] < v) { low = middle + 1u; } else { high = middle; }
  }
  new_starts[v] = low;
}

@compute @workgroup_size(8)
fn walk(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = id.x + id.y * groups.x * 8u;
  if (column >= params.outer * params.columns) { return; }
  let source = column_place(params.n, column);
  let out = column_place(params.vocab, column);
  for (var v = 0u; v < params.vocab; v++) { write_out(out + v * params.columns, vec4f(0.0)); }
  for (var t = 0u; t < params.period; t++) {
    var sum = vec4f(0.0);
    for (var j = t; j < params.n; j += params.period) {
      let row = read_source(source + j * params.columns);
      let v = index[j];
      if (v < params.vocab) { add_to_out(out + v * params.columns, row); }
      sum += row;
    }
    //#if PERIODIC
    write_periodic(column + t * params.columns, sum);
    //#end
  }
}
