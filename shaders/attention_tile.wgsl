// attention_tile — flash attention for hardware adapters.
// A workgroup owns ROWS rows, R to a thread, in registers. The other side's rows pass through workgroup memory, TILE at a time; every row
// is served by PARTS threads, each of which takes every PARTS-th run of B rows of a tile, so that short sequences still fill the GPU. In
// the end the parts of a row are added up in a fixed order. No subgroups, no atomics; barriers in uniform control flow only. Formulas,
// operands and layouts as in attention_portable.wgsl; here D = 4 D4, everything aligned to 4 elements.
//
//   forward:            rows are queries, tiles are of keys and values → output, logsumexp
//   backward_query:     rows are queries, tiles are of keys and values → dq, delta
//   backward_key_value: rows are keys, tiles are of queries and gradients → dk, dv
//
// Masked pairs weigh exactly 0; loads beyond the last row repeat it. A run may weigh rows after the diagonal by 0, so a NaN or infinity
// there can show up to B − 1 places early.
// Dispatch: heads · ceil(rows / ROWS) workgroups, folded into x and y; the longest rows of a causal mask go first.
// Needs ROWS % R = 0, TILE % B = 0, and 16 · max(2 · TILE · D4, ROWS · PARTS) + 8 · TILE bytes of workgroup memory.

const D4 = 4u; //#param
const ROWS = 64u; //#param
const R = 2u; //#param
const PARTS = 4u; //#param
const TILE = 64u; //#param
const B = 4u; //#param
const c = 0u; //#loop
const r = 0u; //#loop
const b = 0u; //#loop

struct Params {
  heads: u32,
  inner: u32,
  queries: u32,
  keys: u32,
  causal: u32,
  scale: f32,
  queryLayout: array<vec4u, 1>,
  keyLayout: array<vec4u, 1>,
  valueLayout: array<vec4u, 1>,
  outputLayout: array<vec4u, 1>,
  gradientLayout: array<vec4u, 1>,
  queryGradientLayout: array<vec4u, 1>,
  keyGradientLayout: array<vec4u, 1>,
  valueGradientLayout: array<vec4u, 1>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> value: array<vec4f>;
@group(0) @binding(4) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(5) var<storage, read> logsumexp: array<f32>;
@group(0) @binding(6) var<storage, read> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> rowResult: array<f32>;
@group(0) @binding(9) var<storage, read> output: array<vec4f>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
const MASKED = -1e30;
/// Threads that together take one part of each row.
const LANES = ROWS / R;
const THREADS = LANES * PARTS;
/// Where the second tensor's rows of a tile start.
const SECOND = TILE * D4;

/// A tile of two tensors; in the end the rows' parts, part by part.
var<workgroup> tile: array<vec4f, max(2u * SECOND, ROWS * PARTS)>;
/// logsumexp and delta of a tile's queries.
var<workgroup> tileRows: array<vec2f, TILE>;

/// Where a row of a tensor starts, in vec4.
fn row_start(place: vec4u, head: u32, row: u32) -> u32 {
  return (place.x + head / params.inner * place.y + head % params.inner * place.z + row * place.w) / 4u;
}

/// The sum of a row's parts.
fn merged(row: u32) -> vec4f {
  var sum = tile[row];
  for (var part = 1u; part < PARTS; part++) { sum += tile[part * ROWS + row]; }
  return sum;
}

@compute @workgroup_size(THREADS)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let blocks = (params.queries + ROWS - 1u) / ROWS;
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block % params.heads;
  let first = (blocks - 1u - block / params.heads) * ROWS;
  let lane = thread % LANES;
  let part = thread / LANES;
  //#for r in 0..R
  let i__r = first + r * LANES + lane;
  let end__r = select(params.keys, min(i__r + 1u, params.keys), params.causal != 0u);
  let query__r = row_start(params.queryLayout[0], head, min(i__r, params.queries - 1u));
  var top__r = MASKED;
  var total__r = 0.0;
  //#for c in 0..D4
  let q__r__c = query[query__r + c] * (params.scale * LOG2_E);
  var sum__r__c = vec4f();
  //#end
  //#end
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  let end = select(params.keys, min(first + ROWS, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j += TILE) {
    workgroupBarrier();
    for (var e = thread; e < SECOND; e += THREADS) {
      let row = min(j + e / D4, params.keys - 1u);
      tile[e] = key[keyRows + row * (params.keyLayout[0].w / 4u) + e % D4];
      tile[SECOND + e] = value[valueRows + row * (params.valueLayout[0].w / 4u) + e % D4];
    }
    workgroupBarrier();
    for (var s = part * B; s < min(TILE, end - j); s += PARTS * B) {
      //#for b in 0..B
      //#for r in 0..R
      var p__r__b = 0.0;
      //#end
      //#for c in 0..D4
      let k__b__c = tile[(s + b) * D4 + c];
      //#for r in 0..R
      p__r__b += dot(q__r__c, k__b__c);
      //#end
      //#end
      //#end
      //#for r in 0..R
      var higher__r = top__r;
      //#for b in 0..B
      p__r__b = select(MASKED, p__r__b, j + s + b < end__r);
      higher__r = max(higher__r, p__r__b);
      //#end
      let shrink__r = exp2(top__r - higher__r);
      top__r = higher__r;
      total__r *= shrink__r;
      //#for b in 0..B
      p__r__b = exp2(p__r__b - higher__r);
      total__r += p__r__b;
      //#end
      //#for c in 0..D4
      sum__r__c *= shrink__r;
      //#end
      //#end
      //#for b in 0..B
      //#for c in 0..D4
      let v__b__c = tile[SECOND + (s + b) * D4 + c];
      //#for r in 0..R
      sum__r__c += p__r__b * v__b__c;
      //#end
      //#end
      //#end
    }
  }
  // Each part has a maximum and a sum of its own. One that saw no key of a row has the lowest maximum, and so no weight.
  workgroupBarrier();
  //#for r in 0..R
  tile[part * ROWS + r * LANES + lane] = vec4f(top__r, total__r, 0.0, 0.0);
  //#end
  workgroupBarrier();
  //#for r in 0..R
  var rowTop__r = MASKED;
  for (var g = 0u; g < PARTS; g++) { rowTop__r = max(rowTop__r, tile[g * ROWS + r * LANES + lane].x); }
  var rowTotal__r = 0.0;
  for (var g = 0u; g < PARTS; g++) {
    let other = tile[g * ROWS + r * LANES + lane];
    rowTotal__r += other.y * exp2(other.x - rowTop__r);
  }
  // Without keys there is nothing to weigh: 0, as the empty sum is.
  let weight__r = select(exp2(top__r - rowTop__r) / rowTotal__r, 0.0, end == 0u);
  if (part == 0u && i__r < params.queries) { rowResult[head * params.queries + i__r] = rowTop__r + log2(rowTotal__r); }
  let output__r = row_start(params.outputLayout[0], head, i__r);
  //#end
  //#for c in 0..D4
  workgroupBarrier();
  //#for r in 0..R
  tile[part * ROWS + r * LANES + lane] = sum__r__c * weight__r;
  //#end
  workgroupBarrier();
  if (part == c % PARTS) {
    //#for r in 0..R
    if (i__r < params.queries) { result[output__r + c] = merged(r * LANES + lane); }
    //#end
  }
  //#end
}

@compute @workgroup_size(THREADS)
fn backward_query(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let blocks = (params.queries + ROWS - 1u) / ROWS;
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block % params.heads;
  let first = (blocks - 1u - block / params.heads) * ROWS;
  let lane = thread % LANES;
  let part = thread / LANES;
  //#for r in 0..R
  let i__r = first + r * LANES + lane;
  let end__r = select(params.keys, min(i__r + 1u, params.keys), params.causal != 0u);
  let row__r = min(i__r, params.queries - 1u);
  let query__r = row_start(params.queryLayout[0], head, row__r);
  let gradient__r = row_start(params.gradientLayout[0], head, row__r);
  let logsumexp__r = logsumexp[head * params.queries + row__r];
  let output__r = row_start(params.outputLayout[0], head, row__r);
  var delta__r = 0.0;
  //#for c in 0..D4
  let q__r__c = query[query__r + c] * (params.scale * LOG2_E);
  let g__r__c = gradient[gradient__r + c];
  delta__r += dot(output[output__r + c], g__r__c);
  var sum__r__c = vec4f();
  //#end
  //#end
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  let end = select(params.keys, min(first + ROWS, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j += TILE) {
    workgroupBarrier();
    for (var e = thread; e < SECOND; e += THREADS) {
      let row = min(j + e / D4, params.keys - 1u);
      tile[e] = key[keyRows + row * (params.keyLayout[0].w / 4u) + e % D4];
      tile[SECOND + e] = value[valueRows + row * (params.valueLayout[0].w / 4u) + e % D4];
    }
    workgroupBarrier();
    for (var s = part * B; s < min(TILE, end - j); s += PARTS * B) {
      //#for b in 0..B
      //#for r in 0..R
      var score__r__b = 0.0;
      var dp__r__b = 0.0;
      //#end
      //#for c in 0..D4
      let k__b__c = tile[(s + b) * D4 + c];
      let v__b__c = tile[SECOND + (s + b) * D4 + c];
      //#for r in 0..R
      score__r__b += dot(q__r__c, k__b__c);
      dp__r__b += dot(g__r__c, v__b__c);
      //#end
      //#end
      //#for r in 0..R
      let p__r__b = select(0.0, exp2(score__r__b - logsumexp__r), j + s + b < end__r);
      let ds__r__b = p__r__b * (dp__r__b - delta__r);
      //#for c in 0..D4
      sum__r__c += ds__r__b * k__b__c;
      //#end
      //#end
      //#end
    }
  }
  //#for r in 0..R
  if (part == 0u && i__r < params.queries) { rowResult[head * params.queries + i__r] = delta__r; }
  let start__r = row_start(params.queryGradientLayout[0], head, i__r);
  //#end
  //#for c in 0..D4
  workgroupBarrier();
  //#for r in 0..R
  tile[part * ROWS + r * LANES + lane] = sum__r__c * params.scale;
  //#end
  workgroupBarrier();
  if (part == c % PARTS) {
    //#for r in 0..R
    if (i__r < params.queries) { result[start__r + c] = merged(r * LANES + lane); }
    //#end
  }
  //#end
}

@compute @workgroup_size(THREADS)
fn backward_key_value(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let blocks = (params.keys + ROWS - 1u) / ROWS;
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block % params.heads;
  let first = block / params.heads * ROWS;
  let lane = thread % LANES;
  let part = thread / LANES;
  //#for r in 0..R
  let j__r = first + r * LANES + lane;
  let begin__r = select(0u, j__r, params.causal != 0u);
  let row__r = min(j__r, params.keys - 1u);
  let key__r = row_start(params.keyLayout[0], head, row__r);
  let value__r = row_start(params.valueLayout[0], head, row__r);
  //#for c in 0..D4
  let k__r__c = key[key__r + c];
  let v__r__c = value[value__r + c];
  var keySum__r__c = vec4f();
  var valueSum__r__c = vec4f();
  //#end
  //#end
  let queryRows = row_start(params.queryLayout[0], head, 0u);
  let gradientRows = row_start(params.gradientLayout[0], head, 0u);
  for (var i = select(0u, first, params.causal != 0u); i < params.queries; i += TILE) {
    workgroupBarrier();
    for (var e = thread; e < SECOND; e += THREADS) {
      let row = min(i + e / D4, params.queries - 1u);
      tile[e] = query[queryRows + row * (params.queryLayout[0].w / 4u) + e % D4] * (params.scale * LOG2_E);
      tile[SECOND + e] = gradient[gradientRows + row * (params.gradientLayout[0].w / 4u) + e % D4];
    }
    for (var e = thread; e < TILE; e += THREADS) {
      let row = head * params.queries + min(i + e, params.queries - 1u);
      tileRows[e] = vec2f(logsumexp[row], delta[row]);
    }
    workgroupBarrier();
    for (var s = part * B; s < min(TILE, params.queries - i); s += PARTS * B) {
      //#for b in 0..B
      let row__b = tileRows[s + b];
      //#for r in 0..R
      var score__r__b = 0.0;
      var dp__r__b = 0.0;
      //#end
      //#for c in 0..D4
      let q__b__c = tile[(s + b) * D4 + c];
      let g__b__c = tile[SECOND + (s + b) * D4 + c];
      //#for r in 0..R
      score__r__b += dot(k__r__c, q__b__c);
      dp__r__b += dot(v__r__c, g__b__c);
      //#end
      //#end
      //#for r in 0..R
      let p__r__b = select(0.0, exp2(score__r__b - row__b.x), begin__r <= i + s + b && i + s + b < params.queries);
      let ds__r__b = p__r__b * (dp__r__b - row__b.y);
      //#for c in 0..D4
      keySum__r__c += ds__r__b * q__b__c;
      valueSum__r__c += p__r__b * g__b__c;
      //#end
      //#end
      //#end
    }
  }
  //#for r in 0..R
  let keyResult__r = row_start(params.keyGradientLayout[0], head, j__r);
  let valueResult__r = row_start(params.valueGradientLayout[0], head, j__r);
  //#end
  //#for c in 0..D4
  workgroupBarrier();
  //#for r in 0..R
  tile[part * ROWS + r * LANES + lane] = keySum__r__c * LN_2; // the queries carry scale · log2 e
  //#end
  workgroupBarrier();
  if (part == c % PARTS) {
    //#for r in 0..R
    if (j__r < params.keys) { result[keyResult__r + c] = merged(r * LANES + lane); }
    //#end
  }
  workgroupBarrier();
  //#for r in 0..R
  tile[part * ROWS + r * LANES + lane] = valueSum__r__c;
  //#end
  workgroupBarrier();
  if (part == c % PARTS) {
    //#for r in 0..R
    if (j__r < params.keys) { result[valueResult__r + c] = merged(r * LANES + lane); }
    //#end
  }
  //#end
}
