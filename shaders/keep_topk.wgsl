// keep_topk — the greatest k values of a group stay where they stand, everything else becomes 0: TopK's and BatchTopK's activation.
//   rows, wide_rows: a group is a row of x [rows, n]; of equal values those that stand first stay, so never more than k.
//   count, narrow, keep: a group is long, or there are few; of values equal to the k-th greatest all stay.
//   gradient: dx = dy where y is not 0.
// A value that is not greater than `above` never stays; NaN is the greatest. x, out [rows, n], thresholds [rows].
// Method: the k-th greatest key, a key being the value's bits in an order of unsigned integers, digit by digit of 4 bits from the top. Each
// pass counts the keys at or above 15 candidates at once; comparing is cheap where loading is dear, and counts of integers have no order. A long
// group with fewer than k values that may stay ends at the least of these, so its threshold is that of what stays.
//   VEC: x, out and dy are moved as vec4; needs n to be a multiple of 4
// Dispatch: rows: ceil(rows / 8) workgroups; wide_rows: rows; count: ceil(rows·parts / 64); narrow: rows; keep, gradient:
// ceil(size / WIDE / 64).

struct Params {
  rows: u32,
  n: u32,
  k: u32,
  above: f32,
  parts: u32, // stretches that a long row is counted in
  shift: u32, // of the digit
  size: u32,  // elements in all
}

const VEC = false; //#param

//#if VEC
//| alias Element = vec4f;
//| alias Key = vec4u;
//| alias Truth = vec4<bool>;
//| const WIDE = 4u;
//#else
alias Element = f32;
alias Key = u32;
alias Truth = bool;
const WIDE = 1u;
//#end

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<Element>;
@group(0) @binding(2) var<storage, read> x: array<Element>;
@group(0) @binding(3) var<storage, read_write> partials: array<u32>;
@group(0) @binding(3) var<storage, read> counted: array<u32>;
@group(0) @binding(4) var<storage, read_write> digits: array<u32>;
@group(0) @binding(4) var<storage, read> chosen: array<u32>;
@group(0) @binding(5) var<storage, read_write> thresholds: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<Element>;

const d = 1u; //#loop
const e = 0u; //#loop

const LANES = 64u;
var<workgroup> totals: array<atomic<u32>, 16>;
var<workgroup> choice: vec2u; // a digit, and how many keys are at or above it
var<workgroup> cut: u32;

// Greater values have greater keys, both zeros the same one; 0 is the key of what never stays.
fn key_of(value: Element) -> Key {
  let bits = select(bitcast<Key>(value), Key(), value == Element());
  let isNan = (bits & Key(0x7fffffffu)) > Key(0x7f800000u);
  let key = select(~bits, bits | Key(0x80000000u), bits < Key(0x80000000u));
  return select(select(Key(), key, value > Element(params.above)), Key(0xffffffffu), isNan);
}

/// How many of them are true.
fn number_of(isTrue: Truth) -> u32 {
  //#if VEC
  //| let counts = vec4u(isTrue);
  //| return (counts.x + counts.y) + (counts.z + counts.w);
  //#else
  return u32(isTrue);
  //#end
}

fn value_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

// One row an invocation: for adapters whose lanes load no faster side by side.
@compute @workgroup_size(8)
fn rows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 8u;
  if (row >= params.rows) { return; }
  let begin = row * (params.n / WIDE);
  let end = begin + params.n / WIDE;
  var threshold = 0u;
  var isSettled = false;
  for (var digit = 0u; digit < 8u; digit++) {
    let shift = 28u - 4u * digit;
    //#for d in 1..16
    let candidate__d = threshold | (d << shift);
    var count__d = 0u;
    //#end
    for (var i = begin; i < end; i++) {
      let key = key_of(x[i]);
      //#for d in 1..16
      count__d += number_of(key >= Key(candidate__d));
      //#end
    }
    var least = params.k + 1u;
    //#for d in 1..16
    threshold = select(threshold, candidate__d, count__d >= params.k);
    least = select(least, count__d, count__d >= params.k);
    //#end
    isSettled = least == params.k;
    if (isSettled) { break; } // nothing is left to tell apart
  }
  var ties = params.k;
  if (!isSettled) {
    for (var i = begin; i < end; i++) { ties -= number_of(key_of(x[i]) > Key(threshold)); }
  }
  for (var i = begin; i < end; i++) {
    let value = x[i];
    let key = key_of(value);
    var stays = key > Key(threshold);
    //#if VEC
    //#for e in 0..4
    //| stays[e] |= key[e] == threshold && ties > 0u;
    //| ties -= u32(key[e] == threshold && ties > 0u);
    //#end
    //#else
    let isTie = key == threshold && ties > 0u;
    stays |= isTie;
    ties -= u32(isTie);
    //#end
    out[i] = select(Element(), value, (key != Key()) & stays);
  }
}

//#if !VEC
// One row a workgroup.
@compute @workgroup_size(LANES)
fn wide_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let w = group.x + group.y * groups.x;
  let live = w < params.rows;
  let begin = min(w, params.rows - 1u) * params.n;
  let end = begin + params.n;
  var threshold = 0u;
  for (var digit = 0u; digit < 8u; digit++) {
    let shift = 28u - 4u * digit;
    if (lane < 16u) { atomicStore(&totals[lane], 0u); }
    workgroupBarrier();
    //#for d in 1..16
    let candidate__d = threshold | (d << shift);
    var count__d = 0u;
    //#end
    for (var i = begin + lane; i < end; i += LANES) {
      let key = key_of(x[i]);
      //#for d in 1..16
      count__d += u32(key >= candidate__d);
      //#end
    }
    //#for d in 1..16
    if (count__d > 0u) { atomicAdd(&totals[d], count__d); }
    //#end
    workgroupBarrier();
    if (lane == 0u) {
      var best = vec2u(0u, params.k + 1u);
      for (var c = 1u; c < 16u; c++) {
        let total = atomicLoad(&totals[c]);
        best = select(best, vec2u(c, total), total >= params.k);
      }
      choice = best;
    }
    let best = workgroupUniformLoad(&choice);
    threshold |= best.x << shift;
    if (best.y == params.k) { break; } // nothing is left to tell apart
  }
  // Ties stay up to a place, which one invocation looks for where there are more than fit.
  if (lane < 16u) { atomicStore(&totals[lane], 0u); }
  workgroupBarrier();
  for (var i = begin + lane; i < end; i += LANES) {
    let key = key_of(x[i]);
    if (key > threshold) { atomicAdd(&totals[0], 1u); }
    if (key == threshold) { atomicAdd(&totals[1], 1u); }
  }
  workgroupBarrier();
  if (lane == 0u) {
    var ties = params.k - atomicLoad(&totals[0]);
    var last = end;
    if (atomicLoad(&totals[1]) > ties) {
      last = begin;
      while (ties > 0u) {
        ties -= u32(key_of(x[last]) == threshold);
        last++;
      }
    }
    cut = last;
  }
  let last = workgroupUniformLoad(&cut);
  if (live) {
    for (var i = begin + lane; i < end; i += LANES) {
      let value = x[i];
      let key = key_of(value);
      out[i] = select(0.0, value, key != 0u && (key > threshold || (key == threshold && i < last)));
    }
  }
}

//#end

// partials [rows, parts, 16]: keys of a stretch at or above each candidate; first, those that may stay.
@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.rows * params.parts) { return; }
  let row = at / params.parts;
  let part = at % params.parts;
  let begin = row * (params.n / WIDE);
  let known = chosen[row];
  //#for d in 1..16
  let candidate__d = known | (d << params.shift);
  var count__d = 0u;
  //#end
  var able = 0u;
  for (var i = part; i < params.n / WIDE; i += params.parts) {
    let key = key_of(x[begin + i]);
    able += number_of(key != Key());
    //#for d in 1..16
    count__d += number_of(key >= Key(candidate__d));
    //#end
  }
  partials[at * 16u] = able;
  //#for d in 1..16
  partials[at * 16u + d] = count__d;
  //#end
}

// Adds the stretches up and appends the digit. After the last one the key is that of the least value that stays; 0 where none may.
@compute @workgroup_size(LANES)
fn narrow(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let w = group.x + group.y * groups.x;
  let live = w < params.rows;
  let row = min(w, params.rows - 1u);
  if (lane < 16u) { atomicStore(&totals[lane], 0u); }
  workgroupBarrier();
  let digit = lane % 16u;
  var sum = 0u;
  for (var part = lane / 16u; part < params.parts; part += LANES / 16u) { sum += counted[(row * params.parts + part) * 16u + digit]; }
  atomicAdd(&totals[digit], sum);
  workgroupBarrier();
  if (lane == 0u && live) {
    let wanted = clamp(atomicLoad(&totals[0]), 1u, params.k);
    var best = 0u;
    for (var c = 1u; c < 16u; c++) { best = select(best, c, atomicLoad(&totals[c]) >= wanted); }
    let key = digits[row] | (best << params.shift);
    digits[row] = key;
    thresholds[row] = select(params.above, value_of(key), key != 0u);
  }
}

@compute @workgroup_size(64)
fn keep(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size / WIDE) { return; }
  let value = x[i];
  let key = key_of(value);
  out[i] = select(Element(), value, (key != Key()) & (key >= Key(chosen[i / (params.n / WIDE)])));
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size / WIDE) { return; }
  out[i] = select(Element(), dy[i], x[i] != Element());
}
