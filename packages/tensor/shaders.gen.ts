// Generated from shaders/*.wgsl by scripts/gen_shaders.mjs; edit the WGSL and run `pnpm shaders`.

/** The WGSL source of every kernel family, by the name of its file. */
export const shaders = {
  attention_cached: `// attention_cached — attention of one query a head to keys and values that were kept (a KV cache): what decoding does for every token.
//
//   result = Σ_j softmax_j(scale q · k_j) v_j
//
// over the rows j < length of the cache. OWN: the query's own key and value come along; they are attended to as well, and put into the cache
// as row \`length\`, which nobody reads in this dispatch.
//
// query, ownKey, ownValue, result [heads, 1, D]; \`heads\` are all leading axes, walked as (outer, inner). A tensor lies in its storage as a
// vec4u says: offset, outer stride, inner stride, unused, in elements; its last axis has stride 1.
// keys, values [heads, capacity, 4 ceil(D / 4)] dense; their elements beyond D are 0.
//
// A workgroup has a head. Each lane walks every LANES-th row with an online softmax of its own (Milakov and Gimelshein, arXiv 1805.02867);
// in the end these are put together in a tree. Rows are kept in private arrays of D4 vec4.
// UNROLL: D4 is exactly ceil(D / 4), and loops over it are unrolled into registers. Without, one pipeline serves every D up to 4 D4.
// Dispatch: heads workgroups, folded into x and y.

const D4 = 4u; //#param
const LANES = 8u; //#param
const UNROLL = true; //#param
const OWN = true; //#param

struct Params {
  heads: u32,
  inner: u32,
  capacity: u32,
  length: u32,
  headSize: u32,
  scale: f32,
  queryLayout: array<vec4u, 1>,
  ownKeyLayout: array<vec4u, 1>,
  ownValueLayout: array<vec4u, 1>,
  resultLayout: array<vec4u, 1>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
//#if OWN
@group(0) @binding(3) var<storage, read_write> keys: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(5) var<storage, read> ownKey: array<f32>;
@group(0) @binding(6) var<storage, read> ownValue: array<f32>;
//#else
//| @group(0) @binding(3) var<storage, read> keys: array<vec4f>;
//| @group(0) @binding(4) var<storage, read> values: array<vec4f>;
//#end

const LOG2_E = 1.4426950408889634;

/// Each lane's highest score, in units of log 2; then the highest of all.
var<workgroup> tops: array<f32, LANES>;
/// Each lane's sums: chunks of weighted values, and behind them in x the sum of the weights.
var<workgroup> sums: array<array<vec4f, D4 + 1u>, LANES>;

/// vec4 to a row.
fn chunks() -> u32 {
  //#if UNROLL
  return D4;
  //#else
  return (params.headSize + 3u) / 4u;
  //#end
}

/// Where a tensor's row of a head starts.
fn row_start(place: vec4u, head: u32) -> u32 {
  return place.x + head / params.inner * place.y + head % params.inner * place.z;
}

/// Which of a chunk's elements belong to the head; the others are a neighbour's.
fn within_head(chunk: u32) -> vec4<bool> {
  return 4u * chunk + vec4u(0u, 1u, 2u, 3u) < vec4u(params.headSize);
}

fn query_at(start: u32, chunk: u32) -> vec4f {
  let i = start + 4u * chunk;
  return select(vec4f(), vec4f(query[i], query[i + 1u], query[i + 2u], query[i + 3u]), within_head(chunk));
}

//#if OWN
fn own_key_at(start: u32, chunk: u32) -> vec4f {
  let i = start + 4u * chunk;
  return select(vec4f(), vec4f(ownKey[i], ownKey[i + 1u], ownKey[i + 2u], ownKey[i + 3u]), within_head(chunk));
}

fn own_value_at(start: u32, chunk: u32) -> vec4f {
  let i = start + 4u * chunk;
  return select(vec4f(), vec4f(ownValue[i], ownValue[i + 1u], ownValue[i + 2u], ownValue[i + 3u]), within_head(chunk));
}
//#end

/// 2^(score − top), and NaN for a score that is NaN: exp2 makes a number of it on some drivers.
fn weight_of(score: f32, top: f32) -> f32 {
  return select(exp2(score - top), score, (bitcast<u32>(score) & 0x7fffffffu) > 0x7f800000u);
}

@compute @workgroup_size(LANES)
fn attend(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let asked = group.x + group.y * groups.x;
  let isThere = asked < params.heads;
  let head = select(0u, asked, isThere); // folding may leave workgroups over: they do nothing, but reach the barriers
  let length = select(0u, params.length, isThere);
  let rows = head * params.capacity * chunks();

  var q: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  let queryRow = row_start(params.queryLayout[0], head);
  for (var c = 0u; c < chunks(); c++) { q[c] = query_at(queryRow, c) * (params.scale * LOG2_E); }
  var top = -1e30;
  var total = 0.0;

  //#if OWN
  if (lane == 0u && isThere) {
    let keyRow = row_start(params.ownKeyLayout[0], head);
    let valueRow = row_start(params.ownValueLayout[0], head);
    let place = rows + length * chunks();
    var score = 0.0;
    for (var c = 0u; c < chunks(); c++) {
      let key = own_key_at(keyRow, c);
      score += dot(q[c], key);
      keys[place + c] = key;
    }
    total = weight_of(score, score);
    top = max(top, score);
    for (var c = 0u; c < chunks(); c++) {
      let value = own_value_at(valueRow, c);
      sum[c] = total * value;
      values[place + c] = value;
    }
  }
  //#end

  for (var j = lane; j < length; j += LANES) {
    let place = rows + j * chunks();
    var score = 0.0;
    for (var c = 0u; c < chunks(); c++) { score += dot(q[c], keys[place + c]); }
    let higher = max(top, score);
    let shrink = exp2(top - higher);
    let p = weight_of(score, higher);
    top = higher;
    total = total * shrink + p;
    for (var c = 0u; c < chunks(); c++) { sum[c] = sum[c] * shrink + p * values[place + c]; }
  }

  tops[lane] = top;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { tops[lane] = max(tops[lane], tops[lane + half]); }
    workgroupBarrier();
  }
  let shrink = exp2(top - tops[0]);
  for (var c = 0u; c < chunks(); c++) { sums[lane][c] = sum[c] * shrink; }
  sums[lane][D4] = vec4f(total * shrink);
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      for (var c = 0u; c < chunks(); c++) { sums[lane][c] += sums[lane + half][c]; }
      sums[lane][D4] += sums[lane + half][D4];
    }
    workgroupBarrier();
  }

  if (isThere) {
    let resultRow = row_start(params.resultLayout[0], head);
    // Without keys there is nothing to weigh: 0, as the empty sum is.
    let weight = select(1.0 / sums[0][D4].x, 0.0, !OWN && length == 0u);
    for (var d = lane; d < params.headSize; d += LANES) { result[resultRow + d] = sums[0][d / 4u][d % 4u] * weight; }
  }
}
`,
  attention_panel: `// attention_panel — flash attention for adapters with small subgroups of a fixed size (software: lavapipe 8 lanes, SwiftShader 4).
// One subgroup a workgroup owns SG · R rows, R to a lane, in registers. The other side's rows come B at a time: lanes load them side by
// side as vec4, and each is spread to all lanes by subgroupBroadcast, which there costs a twentieth of a load. No workgroup memory, no
// barriers, no atomics. Formulas, operands and layouts as in attention_portable.wgsl; here D = 4 D4, everything aligned to 4 elements.
//
//   forward:            rows are queries; per step B keys and values → output, logsumexp
//   backward_query:     rows are queries; per step B keys and values → dq, delta
//   backward_key_value: rows are keys;    per step B queries and gradients → dk, dv
//
// Masked pairs weigh exactly 0; loads beyond the last row repeat it. A step may weigh rows after the diagonal by 0, so a NaN or infinity
// there can show up to B − 1 places early.
// Dispatch: heads · ceil(rows / (SG · R)) workgroups, folded into x and y. Light and heavy blocks of a causal mask take turns, because
// drivers hand out workgroups to threads in contiguous runs. Needs R ≥ 1, 1 ≤ B ≤ SG.

enable subgroups;

const D4 = 4u; //#param
const SG = 8u; //#param
const R = 2u; //#param
const B = 4u; //#param
const c = 0u; //#loop
const r = 0u; //#loop
const b = 0u; //#loop
const n = 0u; //#loop

struct Params {
  heads: u32,
  inner: u32,
  queries: u32,
  keys: u32,
  causal: u32,
  scale: f32,
  headSize: u32, // 4 D4; loops that end there are not spelled out
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
/// vec4 loads by which a subgroup fetches B rows.
const LOADS = (B * D4 + SG - 1u) / SG;

/// Where a row of a tensor starts, in vec4.
fn row_start(place: vec4u, head: u32, row: u32) -> u32 {
  return (place.x + head / params.inner * place.y + head % params.inner * place.z + row * place.w) / 4u;
}

/// 0, n − 1, 1, n − 2, …: neighbours have together about the same work under a causal mask.
fn alternate(at: u32, count: u32) -> u32 {
  return select(at / 2u, count - 1u - at / 2u, at % 2u == 1u);
}

@compute @workgroup_size(SG)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.queries + SG * R - 1u) / (SG * R);
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block / blocks;
  let first = alternate(block % blocks, blocks) * SG * R;
  //#for r in 0..R
  let i__r = first + r * SG + lane;
  let end__r = select(params.keys, i__r + 1u, params.causal != 0u);
  var top__r = MASKED;
  var total__r = 0.0;
  //#end
  var held: array<vec4f, R * D4>;
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = min(first + n / D4 * SG + lane, params.queries - 1u);
    held[n] = query[row_start(params.queryLayout[0], head, row) + n % D4] * (params.scale * LOG2_E);
  }
  //#for r in 0..R
  //#for c in 0..D4
  let q__r__c = held[r * D4 + c];
  var sum__r__c = vec4f();
  //#end
  //#end
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  let end = select(params.keys, min(first + SG * R, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j += B) {
    var keys: array<vec4f, LOADS>;
    var values: array<vec4f, LOADS>;
    //#for n in 0..(B * D4 + SG - 1) / SG
    let row__n = min(j + (n * SG + lane) / D4, params.keys - 1u);
    let chunk__n = (n * SG + lane) % D4;
    keys[n] = key[keyRows + row__n * (params.keyLayout[0].w / 4u) + chunk__n];
    values[n] = value[valueRows + row__n * (params.valueLayout[0].w / 4u) + chunk__n];
    //#end
    //#for b in 0..B
    //#for r in 0..R
    var p__r__b = 0.0;
    //#end
    //#for c in 0..D4
    let k__b__c = subgroupBroadcast(keys[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    p__r__b += dot(q__r__c, k__b__c);
    //#end
    //#end
    //#end
    //#for r in 0..R
    var higher__r = top__r;
    //#for b in 0..B
    p__r__b = select(MASKED, p__r__b, j + b < min(end__r, params.keys));
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
    let v__b__c = subgroupBroadcast(values[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    sum__r__c += p__r__b * v__b__c;
    //#end
    //#end
    //#end
  }
  var logs: array<f32, R>;
  //#for r in 0..R
  // Without keys there is nothing to weigh: 0, as the empty sum is.
  let weight__r = select(1.0 / total__r, 0.0, end == 0u);
  logs[r] = top__r + log2(total__r);
  //#for c in 0..D4
  held[r * D4 + c] = sum__r__c * weight__r;
  //#end
  //#end
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = first + n / D4 * SG + lane;
    if (row < params.queries) {
      result[row_start(params.outputLayout[0], head, row) + n % D4] = held[n];
      rowResult[head * params.queries + row] = logs[n / D4];
    }
  }
}

@compute @workgroup_size(SG)
fn backward_query(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.queries + SG * R - 1u) / (SG * R);
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block / blocks;
  let first = alternate(block % blocks, blocks) * SG * R;
  //#for r in 0..R
  let i__r = first + r * SG + lane;
  let end__r = select(params.keys, i__r + 1u, params.causal != 0u);
  //#end
  var held: array<vec4f, R * D4>;
  var heldToo: array<vec4f, R * D4>;
  var deltas: array<f32, R>;
  var logs: array<f32, R>;
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = min(first + n / D4 * SG + lane, params.queries - 1u);
    let g = gradient[row_start(params.gradientLayout[0], head, row) + n % D4];
    held[n] = query[row_start(params.queryLayout[0], head, row) + n % D4] * (params.scale * LOG2_E);
    heldToo[n] = g;
    deltas[n / D4] += dot(output[row_start(params.outputLayout[0], head, row) + n % D4], g);
    logs[n / D4] = logsumexp[head * params.queries + row];
  }
  //#for r in 0..R
  let delta__r = deltas[r];
  let logsumexp__r = logs[r];
  //#for c in 0..D4
  let q__r__c = held[r * D4 + c];
  let g__r__c = heldToo[r * D4 + c];
  var sum__r__c = vec4f();
  //#end
  //#end
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  let end = select(params.keys, min(first + SG * R, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j += B) {
    var keys: array<vec4f, LOADS>;
    var values: array<vec4f, LOADS>;
    //#for n in 0..(B * D4 + SG - 1) / SG
    let row__n = min(j + (n * SG + lane) / D4, params.keys - 1u);
    let chunk__n = (n * SG + lane) % D4;
    keys[n] = key[keyRows + row__n * (params.keyLayout[0].w / 4u) + chunk__n];
    values[n] = value[valueRows + row__n * (params.valueLayout[0].w / 4u) + chunk__n];
    //#end
    //#for b in 0..B
    //#for r in 0..R
    var score__r__b = 0.0;
    var dp__r__b = 0.0;
    //#end
    //#for c in 0..D4
    let k__b__c = subgroupBroadcast(keys[(b * D4 + c) / SG], (b * D4 + c) % SG);
    let v__b__c = subgroupBroadcast(values[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    score__r__b += dot(q__r__c, k__b__c);
    dp__r__b += dot(g__r__c, v__b__c);
    //#end
    //#end
    //#for r in 0..R
    let p__r__b = select(0.0, exp2(score__r__b - logsumexp__r), j + b < min(end__r, params.keys));
    let ds__r__b = p__r__b * (dp__r__b - delta__r);
    //#for c in 0..D4
    sum__r__c += ds__r__b * k__b__c;
    //#end
    //#end
    //#end
  }
  //#for r in 0..R
  //#for c in 0..D4
  held[r * D4 + c] = sum__r__c * params.scale;
  //#end
  //#end
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = first + n / D4 * SG + lane;
    if (row < params.queries) {
      rowResult[head * params.queries + row] = deltas[n / D4];
      result[row_start(params.queryGradientLayout[0], head, row) + n % D4] = held[n];
    }
  }
}

@compute @workgroup_size(SG)
fn backward_key_value(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.keys + SG * R - 1u) / (SG * R);
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block / blocks;
  let first = alternate(block % blocks, blocks) * SG * R;
  //#for r in 0..R
  let j__r = first + r * SG + lane;
  let begin__r = select(0u, j__r, params.causal != 0u);
  //#end
  var held: array<vec4f, R * D4>;
  var heldToo: array<vec4f, R * D4>;
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = min(first + n / D4 * SG + lane, params.keys - 1u);
    held[n] = key[row_start(params.keyLayout[0], head, row) + n % D4];
    heldToo[n] = value[row_start(params.valueLayout[0], head, row) + n % D4];
  }
  //#for r in 0..R
  //#for c in 0..D4
  let k__r__c = held[r * D4 + c];
  let v__r__c = heldToo[r * D4 + c];
  var keySum__r__c = vec4f();
  var valueSum__r__c = vec4f();
  //#end
  //#end
  let queryRows = row_start(params.queryLayout[0], head, 0u);
  let gradientRows = row_start(params.gradientLayout[0], head, 0u);
  for (var i = select(0u, first, params.causal != 0u); i < params.queries; i += B) {
    var queries: array<vec4f, LOADS>;
    var gradients: array<vec4f, LOADS>;
    //#for n in 0..(B * D4 + SG - 1) / SG
    let row__n = min(i + (n * SG + lane) / D4, params.queries - 1u);
    let chunk__n = (n * SG + lane) % D4;
    queries[n] = query[queryRows + row__n * (params.queryLayout[0].w / 4u) + chunk__n] * (params.scale * LOG2_E);
    gradients[n] = gradient[gradientRows + row__n * (params.gradientLayout[0].w / 4u) + chunk__n];
    //#end
    let row = head * params.queries + min(i + lane % B, params.queries - 1u);
    let logsumexps = logsumexp[row];
    let deltas = delta[row];
    //#for b in 0..B
    //#for r in 0..R
    var score__r__b = 0.0;
    var dp__r__b = 0.0;
    //#end
    //#for c in 0..D4
    let q__b__c = subgroupBroadcast(queries[(b * D4 + c) / SG], (b * D4 + c) % SG);
    let g__b__c = subgroupBroadcast(gradients[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    score__r__b += dot(k__r__c, q__b__c);
    dp__r__b += dot(v__r__c, g__b__c);
    //#end
    //#end
    let logsumexp__b = subgroupBroadcast(logsumexps, b);
    let delta__b = subgroupBroadcast(deltas, b);
    //#for r in 0..R
    let p__r__b = select(0.0, exp2(score__r__b - logsumexp__b), begin__r <= i + b && i + b < params.queries);
    let ds__r__b = p__r__b * (dp__r__b - delta__b);
    //#for c in 0..D4
    keySum__r__c += ds__r__b * q__b__c;
    valueSum__r__c += p__r__b * g__b__c;
    //#end
    //#end
    //#end
  }
  //#for r in 0..R
  //#for c in 0..D4
  held[r * D4 + c] = keySum__r__c * LN_2; // the queries carry scale · log2 e
  heldToo[r * D4 + c] = valueSum__r__c;
  //#end
  //#end
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = first + n / D4 * SG + lane;
    if (row < params.keys) {
      result[row_start(params.keyGradientLayout[0], head, row) + n % D4] = held[n];
      result[row_start(params.valueGradientLayout[0], head, row) + n % D4] = heldToo[n];
    }
  }
}
`,
  attention_portable: `// attention_portable — softmax(scale · q kᵀ) v and its gradients; one invocation a row, no subgroups, no workgroup memory.
// Flash attention (Dao et al., arXiv 2205.14135; Dao, arXiv 2307.08691): scores are never stored. Forward keeps a running maximum and
// sum a row and saves their logarithm; backward recomputes the probabilities from it. Nothing is shared between rows, so nothing races.
//
//   forward:            query, key, value → output [.., T, D], logsumexp [.., T]
//   backward_query:     dq_i = scale Σ_j dS_ij k_j                                     with P_ij = 2^(score_ij − logsumexp_i),
//   backward_key_value: dk_j = scale Σ_i dS_ij q_i,  dv_j = Σ_i P_ij gradient_i        dS_ij = P_ij (gradient_i · v_j − delta_i)
//   row_dots:           delta_i = Σ_d output_i · gradient_i, which is Σ_j P_ij dP_ij; backward_query leaves it behind too
//
// query, output, gradient [heads, queries, D]; key, value [heads, keys, D]; \`heads\` are all leading axes, walked as (outer, inner).
// A tensor lies in its storage as a vec4u says: offset, outer stride, inner stride, row stride, in elements; its last axis has stride 1.
// VEC4: D and all offsets and strides are multiples of 4. logsumexp and delta are dense. Scores are in units of log 2 (scaled by log2 e).
// Causal: query i sees keys 0 … i. Elements beyond D count as 0. Rows are kept in private arrays of D4 ≥ ceil(D / 4) vec4.
// UNROLL: D4 is exactly that, and the compiler unrolls loops over it into registers: three times as fast, but software adapters take long
// to compile it for wide heads (half a minute for D = 64). Without, one pipeline serves every D up to 4 D4.
// Dispatch: ceil(heads · rows / 64) workgroups, rows = queries (backward_key_value: keys), folded into x and y.

const D4 = 4u; //#param
const VEC4 = true; //#param
const UNROLL = true; //#param

struct Params {
  heads: u32,
  inner: u32,
  queries: u32,
  keys: u32,
  headSize: u32,
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
@group(0) @binding(4) var<storage, read> output: array<vec4f>;
@group(0) @binding(5) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(6) var<storage, read> logsumexp: array<f32>;
@group(0) @binding(7) var<storage, read> delta: array<f32>;
@group(0) @binding(8) var<storage, read_write> result: array<f32>;
@group(0) @binding(9) var<storage, read_write> rowResult: array<f32>;

const LOG2_E = 1.4426950408889634;

/// vec4 to a row.
fn chunks() -> u32 {
  //#if UNROLL
  return D4;
  //#else
  return (params.headSize + 3u) / 4u;
  //#end
}

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

/// Where a row of a tensor starts.
fn row_start(place: vec4u, head: u32, row: u32) -> u32 {
  return place.x + head / params.inner * place.y + head % params.inner * place.z + row * place.w;
}

/// Elements 4 chunk … 4 chunk + 3 of the row that starts at \`start\`.
fn query_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return query[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk;
  return within_head(chunk, vec4f(query_element(i), query_element(i + 1u), query_element(i + 2u), query_element(i + 3u)));
  //#end
}

fn key_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return key[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk;
  return within_head(chunk, vec4f(key_element(i), key_element(i + 1u), key_element(i + 2u), key_element(i + 3u)));
  //#end
}

fn value_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return value[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk;
  return within_head(chunk, vec4f(value_element(i), value_element(i + 1u), value_element(i + 2u), value_element(i + 3u)));
  //#end
}

fn output_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return output[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk;
  return within_head(chunk, vec4f(output_element(i), output_element(i + 1u), output_element(i + 2u), output_element(i + 3u)));
  //#end
}

fn gradient_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return gradient[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk;
  return within_head(chunk, vec4f(gradient_element(i), gradient_element(i + 1u), gradient_element(i + 2u), gradient_element(i + 3u)));
  //#end
}

fn query_element(i: u32) -> f32 { return query[i / 4u][i % 4u]; }
fn key_element(i: u32) -> f32 { return key[i / 4u][i % 4u]; }
fn value_element(i: u32) -> f32 { return value[i / 4u][i % 4u]; }
fn output_element(i: u32) -> f32 { return output[i / 4u][i % 4u]; }
fn gradient_element(i: u32) -> f32 { return gradient[i / 4u][i % 4u]; }

/// 0 for elements beyond the head, which belong to a neighbour.
fn within_head(chunk: u32, elements: vec4f) -> vec4f {
  return select(vec4f(), elements, 4u * chunk + vec4u(0u, 1u, 2u, 3u) < vec4u(params.headSize));
}

fn store(start: u32, chunk: u32, elements: vec4f) {
  for (var e = 0u; e < 4u; e++) {
    if (4u * chunk + e < params.headSize) { result[start + 4u * chunk + e] = elements[e]; }
  }
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_index(id, groups);
  if (row >= params.heads * params.queries) { return; }
  let head = row / params.queries;
  let i = row % params.queries;
  let queryRow = row_start(params.queryLayout[0], head, i);
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  var q: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  for (var c = 0u; c < chunks(); c++) { q[c] = query_at(queryRow, c) * (params.scale * LOG2_E); }
  var top = -1e30;
  var total = 0.0;
  let end = select(params.keys, min(i + 1u, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j++) {
    let keyRow = keyRows + j * params.keyLayout[0].w;
    let valueRow = valueRows + j * params.valueLayout[0].w;
    var score = 0.0;
    for (var c = 0u; c < chunks(); c++) { score += dot(q[c], key_at(keyRow, c)); }
    let higher = max(top, score);
    let shrink = exp2(top - higher);
    let p = exp2(score - higher);
    top = higher;
    total = total * shrink + p;
    for (var c = 0u; c < chunks(); c++) { sum[c] = sum[c] * shrink + p * value_at(valueRow, c); }
  }
  // Without keys there is nothing to weigh: 0, as the empty sum is.
  let weight = select(1.0 / total, 0.0, end == 0u);
  let outputRow = row_start(params.outputLayout[0], head, i);
  for (var c = 0u; c < chunks(); c++) { store(outputRow, c, sum[c] * weight); }
  rowResult[row] = top + log2(total);
}

@compute @workgroup_size(64)
fn row_dots(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_index(id, groups);
  if (row >= params.heads * params.queries) { return; }
  let head = row / params.queries;
  let i = row % params.queries;
  let outputRow = row_start(params.outputLayout[0], head, i);
  let gradientRow = row_start(params.gradientLayout[0], head, i);
  var sum = 0.0;
  for (var c = 0u; c < chunks(); c++) { sum += dot(output_at(outputRow, c), gradient_at(gradientRow, c)); }
  rowResult[row] = sum;
}

@compute @workgroup_size(64)
fn backward_query(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_index(id, groups);
  if (row >= params.heads * params.queries) { return; }
  let head = row / params.queries;
  let i = row % params.queries;
  let queryRow = row_start(params.queryLayout[0], head, i);
  let gradientRow = row_start(params.gradientLayout[0], head, i);
  let outputRow = row_start(params.outputLayout[0], head, i);
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  var q: array<vec4f, D4>;
  var g: array<vec4f, D4>;
  var k: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  var own_delta = 0.0;
  for (var c = 0u; c < chunks(); c++) {
    q[c] = query_at(queryRow, c) * (params.scale * LOG2_E);
    g[c] = gradient_at(gradientRow, c);
    own_delta += dot(output_at(outputRow, c), g[c]);
  }
  rowResult[row] = own_delta;
  let end = select(params.keys, min(i + 1u, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j++) {
    let keyRow = keyRows + j * params.keyLayout[0].w;
    let valueRow = valueRows + j * params.valueLayout[0].w;
    var score = 0.0;
    var dp = 0.0;
    for (var c = 0u; c < chunks(); c++) {
      k[c] = key_at(keyRow, c);
      score += dot(q[c], k[c]);
      dp += dot(g[c], value_at(valueRow, c));
    }
    let ds = exp2(score - logsumexp[row]) * (dp - own_delta);
    for (var c = 0u; c < chunks(); c++) { sum[c] += ds * k[c]; }
  }
  let resultRow = row_start(params.queryGradientLayout[0], head, i);
  for (var c = 0u; c < chunks(); c++) { store(resultRow, c, sum[c] * params.scale); }
}

@compute @workgroup_size(64)
fn backward_key_value(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_index(id, groups);
  if (row >= params.heads * params.keys) { return; }
  let head = row / params.keys;
  let j = row % params.keys;
  let keyRow = row_start(params.keyLayout[0], head, j);
  let valueRow = row_start(params.valueLayout[0], head, j);
  let queryRows = row_start(params.queryLayout[0], head, 0u);
  let gradientRows = row_start(params.gradientLayout[0], head, 0u);
  var k: array<vec4f, D4>;
  var v: array<vec4f, D4>;
  var q: array<vec4f, D4>;
  var g: array<vec4f, D4>;
  var keySum: array<vec4f, D4>;
  var valueSum: array<vec4f, D4>;
  for (var c = 0u; c < chunks(); c++) {
    k[c] = key_at(keyRow, c) * (params.scale * LOG2_E);
    v[c] = value_at(valueRow, c);
  }
  let first = select(0u, j, params.causal != 0u);
  for (var i = first; i < params.queries; i++) {
    let queryRow = queryRows + i * params.queryLayout[0].w;
    let gradientRow = gradientRows + i * params.gradientLayout[0].w;
    var score = 0.0;
    var dp = 0.0;
    for (var c = 0u; c < chunks(); c++) {
      q[c] = query_at(queryRow, c);
      g[c] = gradient_at(gradientRow, c);
      score += dot(k[c], q[c]);
      dp += dot(v[c], g[c]);
    }
    let p = exp2(score - logsumexp[head * params.queries + i]);
    let ds = p * (dp - delta[head * params.queries + i]);
    for (var c = 0u; c < chunks(); c++) {
      keySum[c] += ds * q[c];
      valueSum[c] += p * g[c];
    }
  }
  let keyResult = row_start(params.keyGradientLayout[0], head, j);
  let valueResult = row_start(params.valueGradientLayout[0], head, j);
  for (var c = 0u; c < chunks(); c++) {
    store(keyResult, c, keySum[c] * params.scale);
    store(valueResult, c, valueSum[c]);
  }
}
`,
  attention_tile: `// attention_tile — flash attention for hardware adapters.
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
`,
  binary: `// binary — a function of two elements, with broadcasting.
//   vectors:  out[i…] = f(a[i…], b[i…]), four neighbours along the last axis an invocation
//   elements: the same for any layout, one element an invocation
//   scalar:   out[i] = f(a[i], value), a dense, four elements an invocation
// \`out\` is dense. Shapes and strides come collapsed (at most 8 axes), in elements; strides of 0 broadcast.
// Preconditions of \`vectors\`: the last axis has a multiple of 4 elements, or is the only one; each operand either has stride 1 there, and
// multiples of 4 as its offset and other strides (an operand's \`splat\` is 0), or stride 0 there (\`splat\` is 1).
// What the last vector holds beyond the data is computed too and lands in the padding of the output's memory.
// The function is the template parameter that is true; INTEGER makes the elements integers.
// Dispatch: ceil(vectors / 64) or ceil(size / 64) workgroups, folded into x and y.

//---- functions
const ADD = false; //#param
const SUB = false; //#param
const MUL = false; //#param
const DIV = false; //#param
const MAXIMUM = false; //#param
const MINIMUM = false; //#param
const POW = false; //#param
//---- functions that gradients need
const MAXIMUM_SHARE = false; //#param
const MINIMUM_SHARE = false; //#param
const POW_BY_BASE = false; //#param
const POW_BY_EXPONENT = false; //#param
//---- truth values: 0 or 1 in a u32
const EQ = false; //#param
const NE = false; //#param
const LT = false; //#param
const LE = false; //#param
const GT = false; //#param
const GE = false; //#param
const LOGICAL_AND = false; //#param
const LOGICAL_OR = false; //#param
//---- elements are i32, u32 or bool instead of f32
const INTEGER = false; //#param

struct Params {
  // Elements of the output.
  size: u32,
  // Invocations needed in all.
  vectors: u32,
  rank: u32,
  aOffset: u32,
  bOffset: u32,
  aSplat: u32,
  bSplat: u32,
  // The number of \`scalar\`, as bits of the element type.
  value: u32,
  // 0x80000000 for i32: flips signed order into unsigned order. 0 for the others.
  signBit: u32,
  shape: array<vec4u, 2>,
  aStrides: array<vec4u, 2>,
  bStrides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(2) var<storage, read> a4: array<vec4u>;
@group(0) @binding(3) var<storage, read> b4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;

// Bits of floats.
const ONE = 0x3f800000u;
const INFINITY = 0x7f800000u;
const NAN = 0x7fc00000u;

// ln v after musl's logf: v = 2^k (1 + f) with 1 + f in [√½, √2), then ln(1 + f) by a polynomial in (f / (2 + f))².
fn logarithm(v: vec4f) -> vec4f {
  let subnormal = v < vec4f(1.1754943508222875e-38);
  let scaled = select(v, v * 33554432.0, subnormal);
  let shifted = bitcast<vec4u>(scaled) + (ONE - 0x3f3504f3u);
  let k = vec4f(bitcast<vec4i>(shifted >> vec4u(23u)) - 127) - select(vec4f(0.0), vec4f(25.0), subnormal);
  let f = bitcast<vec4f>((shifted & vec4u(0x007fffffu)) + 0x3f3504f3u) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let half = 0.5 * f * f;
  let finite = (s * (half + r) + k * 9.0580006145e-6 - half) + f + k * 0.69313812256;
  // Above the largest finite number (infinity, NaN) the argument itself; 0 gives -infinity, negative numbers NaN.
  var bits = select(bitcast<vec4u>(finite), bitcast<vec4u>(v), bitcast<vec4u>(v) >= vec4u(INFINITY));
  bits = select(bits, vec4u(NAN), v < vec4f(0.0));
  bits = select(bits, vec4u(INFINITY | 0x80000000u), v == vec4f(0.0));
  return bitcast<vec4f>(bits);
}

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let place = places(4u * i);
  var p: vec4u;
  var q: vec4u;
  if (params.aSplat == 1u) { p = vec4u(a4[place.x / 4u][place.x % 4u]); } else { p = a4[place.x / 4u]; }
  if (params.bSplat == 1u) { q = vec4u(b4[place.y / 4u][place.y % 4u]); } else { q = b4[place.y / 4u]; }
  out4[i] = combine(p, q);
}

@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let place = places(i);
  out[i] = combine(vec4u(a[place.x]), vec4u(b[place.y])).x;
}

@compute @workgroup_size(64)
fn scalar(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  out4[i] = combine(a4[i], vec4u(params.value));
}

const j = 0u; //#loop

// Where the operands of the output's element i lie: an axis a step from the last one on. Spelled out, since software adapters are slow to
// index parameters by a variable. The first axis needs no division, so neither does a layout of one axis.
fn places(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(params.aOffset, params.bOffset);
  //#for j in 0..7
  if (params.rank > 7u - j) {
    const k = 7u - j;
    let next = rest / params.shape[k / 4u][k % 4u];
    at += (rest - next * params.shape[k / 4u][k % 4u]) * vec2u(params.aStrides[k / 4u][k % 4u], params.bStrides[k / 4u][k % 4u]);
    rest = next;
  }
  //#end
  return at + rest * vec2u(params.aStrides[0][0], params.bStrides[0][0]);
}

// f of four pairs of elements, bits in and out.
fn combine(p: vec4u, q: vec4u) -> vec4u {
  let s = bitcast<vec4f>(p);
  let t = bitcast<vec4f>(q);
  // Integers in an order that unsigned comparison understands.
  let u = p ^ vec4u(params.signBit);
  let v = q ^ vec4u(params.signBit);
  var bits = p;
  var truth = vec4<bool>();
  //#if ADD && INTEGER
  bits = p + q;
  //#end
  //#if ADD && !INTEGER
  bits = bitcast<vec4u>(s + t);
  //#end
  //#if SUB && INTEGER
  bits = p - q;
  //#end
  //#if SUB && !INTEGER
  bits = bitcast<vec4u>(s - t);
  //#end
  //#if MUL && INTEGER
  bits = p * q;
  //#end
  //#if MUL && !INTEGER
  bits = bitcast<vec4u>(s * t);
  //#end
  //#if DIV
  bits = bitcast<vec4u>(s / t);
  //#end
  // NaN wins, which max and min do not promise.
  //#if MAXIMUM && INTEGER
  bits = select(q, p, u > v);
  //#end
  //#if MAXIMUM && !INTEGER
  bits = select(q, p, (s > t) | is_nan(p));
  //#end
  //#if MINIMUM && INTEGER
  bits = select(q, p, u < v);
  //#end
  //#if MINIMUM && !INTEGER
  bits = select(q, p, (s < t) | is_nan(p));
  //#end
  //#if POW
  bits = bitcast<vec4u>(power(s, t));
  //#end
  // How much of the gradient of maximum(s, t) or minimum(s, t) goes to s; equals share it.
  //#if MAXIMUM_SHARE
  bits = bitcast<vec4u>(select(select(vec4f(1.0), vec4f(0.0), s < t), vec4f(0.5), s == t));
  //#end
  //#if MINIMUM_SHARE
  bits = bitcast<vec4u>(select(select(vec4f(1.0), vec4f(0.0), s > t), vec4f(0.5), s == t));
  //#end
  // d(s^t)/ds = t s^(t - 1), and 0 for t = 0 whatever s is.
  //#if POW_BY_BASE
  bits = bitcast<vec4u>(select(t * power(s, t - 1.0), vec4f(0.0), t == vec4f(0.0)));
  //#end
  // d(s^t)/dt = s^t ln s, and 0 for s = 0 where t >= 0.
  //#if POW_BY_EXPONENT
  bits = bitcast<vec4u>(select(power(s, t) * logarithm(s), vec4f(0.0), (s == vec4f(0.0)) & (t >= vec4f(0.0))));
  //#end
  //#if EQ && INTEGER
  truth = p == q;
  //#end
  //#if EQ && !INTEGER
  truth = (s == t) & !(is_nan(p) | is_nan(q));
  //#end
  //#if NE && INTEGER
  truth = p != q;
  //#end
  //#if NE && !INTEGER
  truth = !(s == t) | is_nan(p) | is_nan(q);
  //#end
  //#if LT && INTEGER
  truth = u < v;
  //#end
  //#if LT && !INTEGER
  truth = s < t;
  //#end
  //#if LE && INTEGER
  truth = u <= v;
  //#end
  //#if LE && !INTEGER
  truth = s <= t;
  //#end
  //#if GT && INTEGER
  truth = u > v;
  //#end
  //#if GT && !INTEGER
  truth = s > t;
  //#end
  //#if GE && INTEGER
  truth = u >= v;
  //#end
  //#if GE && !INTEGER
  truth = s >= t;
  //#end
  //#if LOGICAL_AND && INTEGER
  truth = (p != vec4u(0u)) & (q != vec4u(0u));
  //#end
  //#if LOGICAL_AND && !INTEGER
  truth = ((p << vec4u(1u)) != vec4u(0u)) & ((q << vec4u(1u)) != vec4u(0u));
  //#end
  //#if LOGICAL_OR && INTEGER
  truth = (p | q) != vec4u(0u);
  //#end
  //#if LOGICAL_OR && !INTEGER
  truth = ((p | q) << vec4u(1u)) != vec4u(0u);
  //#end
  //#if EQ || NE || LT || LE || GT || GE || LOGICAL_AND || LOGICAL_OR
  bits = select(vec4u(0u), vec4u(1u), truth);
  //#end
  return bits;
}

fn is_nan(bits: vec4u) -> vec4<bool> {
  return (bits & vec4u(0x7fffffffu)) > vec4u(INFINITY);
}

// s^t as in C and torch, where WGSL's pow knows positive bases only. Whole exponents up to 64 by squaring, others as e^(t ln |s|), with a
// relative error that grows as |t ln s| · 2^-24.
fn power(s: vec4f, t: vec4f) -> vec4f {
  let size = abs(t);
  let whole = (floor(t) == t) | (size >= vec4f(8388608.0));
  let odd = whole & (size < vec4f(16777216.0)) & (abs(t - 2.0 * trunc(t * 0.5)) == vec4f(1.0));
  // e^(t ln |s|), where ln 0 = -infinity does the right thing for bases of 0 too.
  var result = exp(t * logarithm(abs(s)));
  result = select(result, -result, (s < vec4f(0.0)) & odd);
  let undefined = ((s < vec4f(0.0)) & !whole) | is_nan(bitcast<vec4u>(s)) | is_nan(bitcast<vec4u>(t));
  result = bitcast<vec4f>(select(bitcast<vec4u>(result), vec4u(NAN), undefined));
  var product = vec4f(1.0);
  var base = s;
  var rest = vec4u(min(size, vec4f(64.0)));
  for (var step = 0u; step < 7u; step++) {
    product = select(product, product * base, (rest & vec4u(1u)) == vec4u(1u));
    base *= base;
    rest >>= vec4u(1u);
  }
  product = select(product, 1.0 / product, t < vec4f(0.0));
  result = select(result, product, whole & (size <= vec4f(64.0)));
  return select(result, vec4f(1.0), s == vec4f(1.0));
}
`,
  copy: `// copy — moves and fills elements between strided layouts.
// Elements are 4 bytes of any dtype, moved as bits. Shapes and strides come collapsed (at most 8 axes), in elements.
//   strided:  destination[i…] = source[i…]   for every index of \`shape\`
//   strided4: the same where all is counted in vec4s: size, shape, strides and offsets
//   straight: destination[i] = source[i]     both dense; four elements an invocation
//   fill:     destination[i…] = value
// Dispatch: ceil(size / 64) workgroups (straight: size / 256), folded into x and y.

struct Params {
  size: u32,
  rank: u32,
  destinationOffset: u32,
  sourceOffset: u32,
  shape: array<vec4u, 2>,
  destinationStrides: array<vec4u, 2>,
  sourceStrides: array<vec4u, 2>,
  value: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> destination4: array<vec4u>;
@group(0) @binding(2) var<storage, read> source4: array<vec4u>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

const j = 0u; //#loop

// Where element i of \`shape\` lies in destination and source: an axis a step from the last one on. Spelled out, since software adapters
// are slow to index parameters by a variable.
fn places(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(params.destinationOffset, params.sourceOffset);
  //#for j in 0..8
  if (params.rank > 7u - j) {
    const k = 7u - j;
    let next = rest / params.shape[k / 4u][k % 4u];
    at += (rest - next * params.shape[k / 4u][k % 4u]) * vec2u(params.destinationStrides[k / 4u][k % 4u], params.sourceStrides[k / 4u][k % 4u]);
    rest = next;
  }
  //#end
  return at;
}

@compute @workgroup_size(64)
fn strided(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let at = places(i);
  destination[at.x] = source[at.y];
}

@compute @workgroup_size(64)
fn strided4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let at = places(i);
  destination4[at.x] = source4[at.y];
}

@compute @workgroup_size(64)
fn straight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i * 4u + 4u <= params.size) {
    destination4[i] = source4[i];
  } else {
    for (var k = 0u; i * 4u + k < params.size; k++) { destination4[i][k] = source4[i][k]; }
  }
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  destination[places(i).x] = params.value;
}
`,
  counting_sort: `// counting_sort — one stable pass of a counting sort by a digit of integer keys, for many rows at once.
//   keys [rows, n] in; order [rows, n] in (the places of a row in their order so far; not read by the first pass) and out.
// A row is cut into chunks of \`chunk\` places. One invocation walks a chunk in order, so equal digits keep their order and nothing is
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
  // Whether places are still in their natural order, so that \`order\` is not read.
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

// The place that stands at \`i\` of a row so far.
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
`,
  cross_entropy: `// cross_entropy — −log softmax(logits)[class] for every row of logits [rows, length], and its gradient.
//   forward:  loss[row] = log Σ exp(logits) − logits[class], normalizer[row] = log Σ exp(logits)
//   total:    result[0] = Σ loss (MEAN: / count), count[0] = number of rows that are not ignored; one workgroup
//   backward: gradient = (exp(logits − normalizer) − [c = class]) · slope, slope divided by the count (MEAN) or one a row (PER_ROW); columns
//             from \`length\` to \`stride\` get zeros
// The softmax is never stored. Logits are rows \`stride\` apart (≥ length: matrix products like strides that are multiples of 4); the gradient
// has the stride \`gradientStride\`. Rows of the class \`ignore\` count for nothing; rows of any other class outside 0 … length − 1 give NaN.
// Forms of forward and backward:
//   0  one invocation a row
//   1  LANES = a whole subgroup a row; subgroups lie in order in a workgroup
//   2  LANES of a workgroup a row, tree in workgroup memory
// Dispatch: forward, backward rows · LANES invocations, folded into x and y; total one workgroup of 256.

//#if FORM == 1
enable subgroups;
diagnostic(off, subgroup_uniformity);
//#end

const FORM = 2u; //#param
const LANES = 64u; //#param
const WORKGROUP = 64u; //#param
const MEAN = true; //#param
const PER_ROW = false; //#param

const LOWEST = -3.4028234e38;
const TOTAL_LANES = 256u;

struct Params {
  rows: u32,
  length: u32,
  offset: u32,
  stride: u32,
  gradientStride: u32,
  ignored: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> loss: array<f32>;
@group(0) @binding(2) var<storage, read_write> normalizer: array<f32>;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(4) var<storage, read> classes: array<i32>;

@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<storage, read_write> count: array<f32>;
@group(0) @binding(3) var<storage, read> losses: array<f32>;

@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> saved_normalizer: array<f32>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read> saved_count: array<f32>;

var<workgroup> slots: array<f32, WORKGROUP>;
var<workgroup> pairs: array<vec2f, TOTAL_LANES>;

/** Sum over the lanes of a row, the same in all of them. */
fn row_sum(own: f32, local: u32) -> f32 {
  var total = own;
  //#if FORM == 1
  for (var step = LANES / 2u; step > 0u; step /= 2u) { total += subgroupShuffleXor(total, step); }
  //#end
  //#if FORM == 2
  workgroupBarrier();
  slots[local] = total;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (local % LANES < step) { slots[local] += slots[local + step]; }
    workgroupBarrier();
  }
  total = slots[local - local % LANES];
  //#end
  return total;
}

/** Greatest over the lanes of a row, the same in all of them. */
fn row_max(own: f32, local: u32) -> f32 {
  var greatest = own;
  //#if FORM == 1
  for (var step = LANES / 2u; step > 0u; step /= 2u) { greatest = max(greatest, subgroupShuffleXor(greatest, step)); }
  //#end
  //#if FORM == 2
  workgroupBarrier();
  slots[local] = greatest;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (local % LANES < step) { slots[local] = max(slots[local], slots[local + step]); }
    workgroupBarrier();
  }
  greatest = slots[local - local % LANES];
  //#end
  return greatest;
}

fn not_a_number() -> f32 {
  var bits = 0x7fc00000u; // a constant NaN would not compile
  return bitcast<f32>(bits);
}

/** Four places of a row that one lane takes at once; its next four lie 4 · LANES further on. */
fn places(c: u32) -> vec4u {
  return c + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
}

/** Which of them are there. Those that are not are read as the row's last and dropped: cheaper than a branch. */
fn inside(at: vec4u) -> vec4<bool> {
  return at < vec4u(params.length);
}

fn added(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn logits_at(start: u32, at: vec4u) -> vec4f {
  let c = start + min(at, vec4u(params.length - 1u));
  return vec4f(logits[c.x], logits[c.y], logits[c.z], logits[c.w]);
}

/** True for NaN; comparing with itself does not tell on some drivers. */
fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

/** exp of four; on some drivers the built-in hides NaN. */
fn exp4(v: vec4f) -> vec4f {
  return select(exp(v), v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

/** log of a sum of exponentials: NaN for NaN, which some drivers hide, and for 0, which is what a row of −∞ adds up to. */
fn log_of_sum(sum: f32) -> f32 {
  return select(log(sum), not_a_number(), is_nan(sum) || sum == 0.0);
}

fn is_class(wanted_class: i32) -> bool { return wanted_class >= 0 && wanted_class < i32(params.length); }

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let wanted = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  let row = min(wanted, params.rows - 1u); // invocations beyond the end repeat the last row and write nothing
  let lane = local % LANES;
  let start = params.offset + row * params.stride;
  // One reading of the row: a running maximum, and the sum of exp(v − it), rescaled whenever it grows.
  var own = LOWEST;
  var own_sum = 0.0;
  for (var c = lane; c < params.length; c += 4u * LANES) {
    let at = places(c);
    let v = logits_at(start, at);
    let higher = max(own, max(max(v.x, v.y), max(v.z, v.w)));
    own_sum *= select(exp(own - higher), 1.0, own == higher);
    own_sum += added(select(vec4f(), exp4(v - higher), inside(at)));
    own = higher;
  }
  let greatest = row_max(own, local);
  let sum = row_sum(own_sum * exp(own - greatest), local);
  if (lane == 0u && wanted < params.rows) {
    let wanted_class = classes[row];
    let log_sum = log_of_sum(sum);
    normalizer[row] = greatest + log_sum;
    if (wanted_class == params.ignored) {
      loss[row] = 0.0;
    } else if (is_class(wanted_class)) {
      loss[row] = greatest - logits[start + u32(wanted_class)] + log_sum;
    } else {
      loss[row] = not_a_number();
    }
  }
}

@compute @workgroup_size(TOTAL_LANES)
fn total(@builtin(local_invocation_index) lane: u32) {
  // Sums of 16 rows, of 16 such sums, and of those: the error is that of a tree as long as there are not millions of rows.
  var all = vec2f();
  for (var outer = lane; outer < params.rows; outer += 256u * TOTAL_LANES) {
    var many = vec2f();
    for (var inner = outer; inner < min(outer + 256u * TOTAL_LANES, params.rows); inner += 16u * TOTAL_LANES) {
      var some = vec2f();
      for (var row = inner; row < min(inner + 16u * TOTAL_LANES, params.rows); row += TOTAL_LANES) {
        some += vec2f(losses[row], select(1.0, 0.0, classes[row] == params.ignored));
      }
      many += some;
    }
    all += many;
  }
  pairs[lane] = all;
  workgroupBarrier();
  for (var step = TOTAL_LANES / 2u; step > 0u; step /= 2u) {
    if (lane < step) { pairs[lane] += pairs[lane + step]; }
    workgroupBarrier();
  }
  if (lane == 0u) {
    result[0] = select(pairs[0].x, pairs[0].x / pairs[0].y, MEAN);
    count[0] = pairs[0].y;
  }
}

fn slope_of(row: u32) -> f32 {
  //#if PER_ROW
  return slope[row];
  //#else
  //#if MEAN
  return slope[0] / saved_count[0];
  //#else
  return slope[0];
  //#end
  //#end
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let row = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  if (row >= params.rows) { return; }
  let lane = local % LANES;
  let start = params.offset + row * params.stride;
  let begin = row * params.gradientStride;
  let wanted_class = classes[row];
  let ignored = wanted_class == params.ignored;
  let scale = select(not_a_number(), slope_of(row), is_class(wanted_class));
  let shift = saved_normalizer[row];
  for (var c = lane; c < params.length; c += 4u * LANES) {
    let at = places(c);
    let p = exp4(logits_at(start, at) - shift) - select(vec4f(), vec4f(1.0), vec4i(at) == vec4i(wanted_class));
    let g = select(p * scale, vec4f(), ignored);
    gradient[begin + at.x] = g.x;
    if (at.y < params.length) { gradient[begin + at.y] = g.y; }
    if (at.z < params.length) { gradient[begin + at.z] = g.z; }
    if (at.w < params.length) { gradient[begin + at.w] = g.w; }
  }
  for (var c = params.length + lane; c < params.gradientStride; c += LANES) { gradient[begin + c] = 0.0; }
}
`,
  cumsum: `// cumsum — running sums along one axis of a strided tensor, forwards or from the end.
//   totals: total[row, block] = Σ of the block's elements
//   scan:   y[row, r] = x[row, 0] + … + x[row, r]; a block starts from the sum up to its end of the block before it, \`before[row, block − 1]\`
// A row is \`length\` elements along the axis, cut into \`blocks\` of \`chunk\`. Rows are counted over \`shape\` (the other axes, collapsed), with
// strides in x and in the dense result y; elements of a row lie \`inputStep\` and \`step\` apart. REVERSE counts r from the end.
// Sums are of f32, or of integers (INTEGER), which travel as bits.
// Dispatch: one invocation per row and block, in workgroups of 64, folded into x and y.

const INTEGER = false; //#param
const BLOCKS = true; //#param

struct Params {
  rows: u32,
  length: u32,
  blocks: u32,
  chunk: u32,
  reverse: u32,
  rank: u32,
  inputOffset: u32,
  inputStep: u32,
  step: u32,
  shape: array<vec4u, 2>,
  inputStrides: array<vec4u, 2>,
  strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
@group(0) @binding(3) var<storage, read> before: array<u32>;

fn add(a: u32, b: u32) -> u32 {
  if (INTEGER) { return a + b; }
  return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b));
}

/** Where a row begins, in x and in y. */
fn row_start(row: u32) -> vec2u {
  var rest = row;
  var start = vec2u(params.inputOffset, 0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    start += (rest % n) * vec2u(params.inputStrides[a / 4u][a % 4u], params.strides[a / 4u][a % 4u]);
    rest /= n;
  }
  return start + rest * vec2u(params.inputStrides[0][0], params.strides[0][0]);
}

fn place(r: u32) -> u32 {
  return select(r, params.length - 1u - r, params.reverse != 0u);
}

@compute @workgroup_size(64)
fn totals(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.rows * params.blocks) { return; }
  let row = i % params.rows;
  let block = i / params.rows;
  let start = row_start(row).x;
  let end = min((block + 1u) * params.chunk, params.length);
  var sum = 0u;
  for (var r = block * params.chunk; r < end; r++) { sum = add(sum, x[start + place(r) * params.inputStep]); }
  total[row * params.blocks + block] = sum;
}

fn sum_before(row: u32, block: u32) -> u32 {
  //#if BLOCKS
  if (block > 0u) { return before[row * params.blocks + block - 1u]; }
  //#end
  return 0u;
}

@compute @workgroup_size(64)
fn scan(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.rows * params.blocks) { return; }
  let row = i % params.rows;
  let block = i / params.rows;
  let start = row_start(row);
  let end = min((block + 1u) * params.chunk, params.length);
  let earlier = sum_before(row, block);
  var sum = 0u; // of this block alone: added to the much greater sum before it only once an element, it keeps its digits
  for (var r = block * params.chunk; r < end; r++) {
    sum = add(sum, x[start.x + place(r) * params.inputStep]);
    y[start.y + place(r) * params.step] = add(earlier, sum);
  }
}
`,
  embedding: `// embedding — whole rows picked by an index.
//   table [outer, vocab, inner], index [n] → out [outer, n, inner]:  out[o, j, i] = table[o, index[j], i].
//   PLUS: plus [period, inner], f32, is added, its row j mod period to row j: positions to tokens.
// Elements are 4 bytes of any dtype, moved as bits. An index beyond vocab (a negative one is) gives rows of \`missing\`.
// A column is VEC elements of inner: 4, or 1 where 4 does not divide it; one invocation each.
// Dispatch: ceil(outer · n · columns / 64) workgroups, folded into x and y.

const VEC = 4u; //#param
const PLUS = false; //#param

struct Params {
  size: u32,
  n: u32,
  vocab: u32,
  // inner / VEC
  columns: u32,
  missing: u32,
  period: u32,
  // First of \`plus\`, and from one of its rows to the next, in columns.
  plusOffset: u32,
  plusRow: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> table4: array<vec4u>;
@group(0) @binding(2) var<storage, read> table1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> out1: array<u32>;
@group(0) @binding(4) var<storage, read> plus4: array<vec4f>;
@group(0) @binding(4) var<storage, read> plus1: array<f32>;

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size) { return; }
  let row = i / params.columns;
  let v = index[row % params.n];
  let at = ((row / params.n) * params.vocab + min(v, params.vocab - 1u)) * params.columns + i % params.columns;
  let known = v < params.vocab;
  //#if PLUS
  let plus = params.plusOffset + row % params.period * params.plusRow + i % params.columns;
  //#end
  //#if VEC == 4
  var value = select(vec4u(params.missing), table4[at], known);
  //#if PLUS
  value = bitcast<vec4u>(bitcast<vec4f>(value) + plus4[plus]);
  //#end
  out4[i] = value;
  //#else
  //| var value = select(params.missing, table1[at], known);
  //#if PLUS
  //| value = bitcast<u32>(bitcast<f32>(value) + plus1[plus]);
  //#end
  //| out1[i] = value;
  //#end
}
`,
  float16: `// float16 — pairs of f32 as two IEEE 754 binary16 in a word, and back: half the memory for what need not be exact.
//   pack:   words[i] = half(x[2i]) | half(x[2i + 1]) << 16, rounded to the nearest, ties to even, beyond 65,520 to infinity
//   unpack: exact
// In integers, since WGSL leaves the rounding of pack2x16float and the fate of subnormals to the driver: the same bits everywhere.
// Everything dense. Dispatch: ceil(words / 64) workgroups, folded into x and y.

struct Params {
  words: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read> packed: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2u>;

// Shifts right and rounds to the nearest, ties to even.
fn rounded_shift(value: u32, places: u32) -> u32 {
  let odd = (value >> places) & 1u;
  return (value + (1u << (places - 1u)) - 1u + odd) >> places;
}

fn half(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return sign | 0x7e00u; }                               // NaN
  if (size >= 0x47800000u) { return sign | 0x7c00u; }                              // 65,536 and beyond, infinity
  if (size >= 0x38800000u) { return sign | rounded_shift(size - 0x38000000u, 13u); } // from 2^-14: exponent less 112, 10 bits of fraction
  let places = 126u - (size >> 23u);                                               // subnormal: a multiple of 2^-24
  if (places > 24u) { return sign; }
  return sign | rounded_shift((size & 0x7fffffu) | 0x800000u, places);
}

fn widened(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let size = bits & 0x7fffu;
  if (size >= 0x7c00u) { return sign | 0x7f800000u | ((size & 0x3ffu) << 13u); }
  if (size >= 0x400u) { return sign | ((size << 13u) + 0x38000000u); }
  if (size == 0u) { return sign; }
  let places = firstLeadingBit(size);                                              // subnormal: size · 2^-24
  return sign | ((places + 103u) << 23u) | ((size << (23u - places)) & 0x7fffffu);
}

@compute @workgroup_size(64)
fn pack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.words) { return; }
  words[i] = half(x[i].x) | (half(x[i].y) << 16u);
}

@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.words) { return; }
  y[i] = vec2u(widened(packed[i] & 0xffffu), widened(packed[i] >> 16u));
}
`,
  gather: `// gather — single elements read or written where an index says, along one axis.
// Elements are 4 bytes of any dtype, moved as bits; \`index\` holds i32 or u32, read as u32, so that negative ones are out of range. Strided
// operands are bound from the start of their storage and walked by strides, in elements; the axis has stride 0 in \`strides\` of the operand
// that the index points into, and \`axisStride\` there.
//   pick:         out[i…] = table[…, index[i…], …], \`missing\` where the index is out of range; out is dense
//   put:          out[…, index[i…], …] = source[i…], each place at most once; the rest of out is left as it is
//   sum_by_scan:  out[i…] = Σ source[…, j, …] over the j along the axis with index[…, j, …] = i, by looking at every j; f32
//   destinations: keys[i…] = the place of out's element […, index[i…], …] in row-major order, \`limit\` where the index is out of range
// Dispatch: ceil(size / 64) workgroups, folded into x and y; size counts index's elements, out's for sum_by_scan.

struct Params {
  size: u32,
  rank: u32,
  axisSize: u32,
  axisStride: u32,
  offset: u32,
  indexOffset: u32,
  sourceOffset: u32,
  missing: u32,
  limit: u32,
  // For sum_by_scan: which axis, how many places the index has along it, and the steps between them.
  axis: u32,
  indexCount: u32,
  indexStep: u32,
  sourceStep: u32,
  shape: array<vec4u, 2>,
  strides: array<vec4u, 2>,
  indexStrides: array<vec4u, 2>,
  sourceStrides: array<vec4u, 2>,
  // For sum_by_scan: sizes of the index.
  indexShape: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var origin = params.offset;
  var pointer = params.indexOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    origin += at * params.strides[a / 4u][a % 4u];
    pointer += at * params.indexStrides[a / 4u][a % 4u];
  }
  let chosen = index[pointer];
  if (chosen < params.axisSize) {
    out[i] = table[origin + chosen * params.axisStride];
  } else {
    out[i] = params.missing;
  }
}

@compute @workgroup_size(64)
fn put(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var place = params.offset;
  var pointer = params.indexOffset;
  var origin = params.sourceOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.strides[a / 4u][a % 4u];
    pointer += at * params.indexStrides[a / 4u][a % 4u];
    origin += at * params.sourceStrides[a / 4u][a % 4u];
  }
  let chosen = index[pointer];
  if (chosen < params.axisSize) { out[place + chosen * params.axisStride] = source[origin]; }
}

@compute @workgroup_size(64)
fn destinations(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var place = 0u;
  var pointer = params.indexOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.strides[a / 4u][a % 4u];
    pointer += at * params.indexStrides[a / 4u][a % 4u];
  }
  let chosen = index[pointer];
  if (chosen < params.axisSize) {
    keys[i] = place + chosen * params.axisStride;
  } else {
    keys[i] = params.limit;
  }
}

@compute @workgroup_size(64)
fn sum_by_scan(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var pointer = params.indexOffset;
  var origin = params.sourceOffset;
  var wanted = 0u;
  var inside = true;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    if (a == params.axis) {
      wanted = at;
    } else {
      inside = inside && at < params.indexShape[a / 4u][a % 4u];
      pointer += at * params.indexStrides[a / 4u][a % 4u];
      origin += at * params.sourceStrides[a / 4u][a % 4u];
    }
  }
  var sum = 0.0;
  if (inside) {
    for (var j = 0u; j < params.indexCount; j++) {
      if (index[pointer + j * params.indexStep] == wanted) { sum += bitcast<f32>(source[origin + j * params.sourceStep]); }
    }
  }
  out[i] = bitcast<u32>(sum);
}
`,
  gemm_panel: `// gemm_panel — C = A·B for software adapters: one subgroup a workgroup, no workgroup memory, no barriers.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets
//   out [split, batch, M, N], the epilogue (GELU, TIMES) and ROW_SUMS: as in gemm_portable
//   VEC: rows of A are loaded as vec4; needs column stride 1, and row stride, batch strides and offset multiples of 4
//   OUT_VEC: rows of \`out\`, and of what its elements are combined with, are loaded and stored as vec4, gaps behind them too; without ROW_SUMS
// A workgroup keeps a panel of B, KC × (SG·NC), in private memory (NC columns a lane, four beside each other) and walks down rows of A. A row is loaded once by the
// subgroup, and each element then broadcast to all lanes: SIMD code in which every load is used SG·NC times.
// For k beyond KC the walk is repeated with the next panel on top of the sums in \`out\`; ONE_PANEL promises that none needs that.
// Three things make the compiler of a software adapter (LLVM) write good code; measured, each is worth a factor of 2 or 3:
//   - private memory is indexed by constants in the inner part, which is therefore spelled out;
//   - sums of a row are stored at the top of the *next* row's turn: as loop-carried variables they stay in registers;
//   - one subgroup a workgroup, so that there is nothing to synchronize.
// Precondition: the subgroup size is SG on this adapter. KC is a multiple of 4·SG, NC of 4.
// Dispatch: a workgroup for every panel of columns × stretch of rows × batch × split, folded into x and y; columns run fastest.

enable subgroups;

struct Params {
  m: u32,
  n: u32,
  k: u32,
  aOffset: u32,
  aRow: u32,
  aColumn: u32,
  bOffset: u32,
  bRow: u32,
  bColumn: u32,
  outRow: u32,
  outSlice: u32, // elements from one split's output to the next one's
  rowSumsOffset: u32,
  splits: u32,
  splitLength: u32, // stretch of k that a split covers
  batches: u32,
  batchRank: u32,
  hasBias: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
  stretch: u32, // rows a workgroup walks
  batchShape: array<vec4u, 2>,
  aBatch: array<vec4u, 2>,
  bBatch: array<vec4u, 2>,
}

const SG = 8u; //#param
const NC = 4u; //#param
const KC = 64u; //#param
const VEC = false; //#param
const OUT_VEC = false; //#param
const ONE_PANEL = false; //#param
const GELU = false; //#param
const TIMES = false; //#param
const ROW_SUMS = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const e = 0u; //#loop
const h = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> a4: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read> residual4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> out4: array<vec4f>;
//#if GELU
@group(0) @binding(6) var<storage, read_write> slopes: array<f32>;
@group(0) @binding(6) var<storage, read_write> slopes4: array<vec4f>;
//#end
//#if TIMES
@group(0) @binding(7) var<storage, read> times: array<f32>;
@group(0) @binding(7) var<storage, read> times4: array<vec4f>;
//#end

// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

// A lane has four neighbouring columns, and more of them further on.
fn column_of(first: u32, c: u32) -> u32 { return first + 4u * SG * (c / 4u) + c % 4u; }

// Where a batch's operands begin.
fn batch_offsets(batch: u32) -> vec2u {
  var rest = batch;
  var offsets = vec2u(params.aOffset, params.bOffset);
  for (var axis = params.batchRank; axis > 0u; axis--) {
    let i = axis - 1u;
    let n = params.batchShape[i / 4u][i % 4u];
    offsets += (rest % n) * vec2u(params.aBatch[i / 4u][i % 4u], params.bBatch[i / 4u][i % 4u]);
    rest /= n;
  }
  return offsets;
}

@compute @workgroup_size(SG)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let columnBlocks = (params.n + SG * NC - 1u) / (SG * NC);
  let rowBlocks = (params.m + params.stretch - 1u) / params.stretch;
  let block = id.x + id.y * groups.x;
  let slice = block / columnBlocks / rowBlocks;
  if (slice >= params.batches * params.splits) { return; }
  let batch = slice % params.batches;
  let split = slice / params.batches;
  let firstColumn = SG * NC * (block % columnBlocks) + 4u * lane;
  let firstRow = params.stretch * (block / columnBlocks % rowBlocks);
  let endRow = min(params.m, firstRow + params.stretch);
  let firstK = split * params.splitLength;
  let endK = min(params.k, firstK + params.splitLength);

  let start = batch_offsets(batch);
  let out0 = split * params.outSlice + batch * params.m * params.outRow;
  let rowSums0 = split * params.outSlice + params.rowSumsOffset + batch * params.m;
  let residual0 = params.residualOffset + batch * params.m * params.residualRow;
  //#for h in 0..NC/4
  let column__h = column_of(firstColumn, 4u * h);
  //#end

  var k0 = firstK;
  loop {
    let isFirst = ONE_PANEL || k0 == firstK;
    let isLast = ONE_PANEL || k0 + KC >= endK;
    // Those rows of B that meet the j-th vectors of A. WGSL clears arrays, element by element in the compiler's eyes, and LLVM takes a time that
    // grows with the square of an array's size: several compile sooner than one.
    //#for j in 0..KC/SG/4
    var panel__j: array<f32, 4 * SG * NC>; // of numbers: vectors would take longer as well
    for (var n = 0u; n < 4u * SG * NC; n++) {
      let k = k0 + 4u * SG * j + n / NC;
      let column = min(column_of(firstColumn, n % NC), params.n - 1u);
      if (k < endK) { panel__j[n] = b[start.y + column * params.bColumn + k * params.bRow]; } else { panel__j[n] = 0.0; }
    }
    //#end
    var starts = array<f32, NC>();
    for (var c = 0u; c < min(NC, params.n); c++) { // no constant: a loop that is spelled out takes long to compile
      let column = column_of(firstColumn, c);
      if (isFirst && params.hasBias != 0u && column < params.n) { starts[c] = bias[column]; }
    }
    //#for h in 0..NC/4
    let start__h = vec4f(starts[4u * h], starts[4u * h + 1u], starts[4u * h + 2u], starts[4u * h + 3u]);
    var sum__h = vec4f();
    //#end
    // Lane l carries elements 4·l … 4·l + 3 of each 4·SG of a row; from beyond the edge it takes the row's first one, and no notice of it.
    //#for j in 0..KC/SG/4
    let k__j = vec4u(k0 + 4u * (j * SG + lane)) + vec4u(0u, 1u, 2u, 3u);
    let isInside__j = k__j < vec4u(endK);
    let place__j = start.x + select(vec4u(), k__j, isInside__j) * params.aColumn;
    //#end

    for (var row = firstRow; row <= endRow; row++) {
      if (row > firstRow) {
        let place = out0 + (row - 1u) * params.outRow;
        let added = residual0 + (row - 1u) * params.residualRow;
        //#for h in 0..NC/4
        //#if OUT_VEC
        //| if (column__h < params.outRow) {
        //|   let place__h = (place + column__h) / 4u;
        //|   var value__h = sum__h;
        //|   if (!isFirst) { value__h += out4[place__h]; }
        //|   if (isLast) {
        //#if GELU
        //|     slopes4[place__h] = vec4f(gelu_slope(value__h.x), gelu_slope(value__h.y), gelu_slope(value__h.z), gelu_slope(value__h.w));
        //|     value__h = vec4f(gelu(value__h.x), gelu(value__h.y), gelu(value__h.z), gelu(value__h.w));
        //#end
        //#if TIMES
        //|     value__h *= times4[place__h];
        //#end
        //|     if (params.hasResidual != 0u) { value__h += residual4[(added + column__h) / 4u]; }
        //|   }
        //|   out4[place__h] = value__h;
        //| }
        //#else
        //#for e in 0..4
        if (column__h + e < params.n) {
          let at = place + column__h + e;
          var value = sum__h[e];
          if (!isFirst) { value += out[at]; }
          if (isLast) {
            //#if GELU
            slopes[at] = gelu_slope(value);
            value = gelu(value);
            //#end
            //#if TIMES
            value *= times[at];
            //#end
            if (params.hasResidual != 0u) { value += residual[added + column__h + e]; }
          }
          out[at] = value;
        }
        //#end
        //#end
        //#end
      }
      let aRow = min(row, endRow - 1u) * params.aRow;
      //#for j in 0..KC/SG/4
      //#if VEC
      //| let four__j = a4[(place__j.x + aRow) / 4u];
      //#else
      let at__j = place__j + aRow;
      let four__j = vec4f(a[at__j.x], a[at__j.y], a[at__j.z], a[at__j.w]);
      //#end
      let x__j = select(vec4f(), four__j, isInside__j);
      //#end
      //#if ROW_SUMS
      var four = vec4f();
      //#for j in 0..KC/SG/4
      four += x__j;
      //#end
      let rowSum = subgroupAdd(four.x + four.y + (four.z + four.w));
      if (firstColumn == 0u && row < endRow) {
        let place = rowSums0 + row;
        if (isFirst) { out[place] = rowSum; } else { out[place] += rowSum; }
      }
      //#end
      //#for h in 0..NC/4
      sum__h = start__h;
      //#end
      //#for j in 0..KC/SG/4
      //#for q in 0..SG
      //#for e in 0..4
      {
        let x = vec4f(subgroupBroadcast(x__j[e], q));
        //#for h in 0..NC/4
        const n__h = (4u * q + e) * NC + 4u * h;
        sum__h = fma(x, vec4f(panel__j[n__h], panel__j[n__h + 1u], panel__j[n__h + 2u], panel__j[n__h + 3u]), sum__h);
        //#end
      }
      //#end
      //#end
      //#end
    }
    k0 += KC;
    if (ONE_PANEL || k0 >= endK) { break; }
  }
}
`,
  gemm_portable: `// gemm_portable — C = A·B in plain registers: no subgroups, no workgroup memory.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets, so transposed, sliced and broadcast operands need no copy
//   out [split, batch, M, N]: row stride \`outRow\`; with one split the result, else partial sums over stretches of k for gemm_reduce
// Epilogue (one split only): out = activation(C + bias[column]) + residual[batch, row, column].
//   GELU: the activation is GELU's tanh form, and its slope goes to \`slopes\`, laid out like \`out\`.
//   TIMES: the activation is multiplication by \`times\`, laid out like \`out\`: the gradient's way back through GELU.
//   ROW_SUMS: also Σ_k A[row, k], written behind the matrix (the bias gradient, where A is the transposed gradient of an output).
// An invocation computes 8 rows × 4 columns; k runs in order, so results do not depend on the tile or on the neighbours.
// Rows and columns beyond the edge repeat the last one and are not stored: every load is of an element of the operand.
// Dispatch: one workgroup of 64 for every 64 blocks, folded into x and y. Columns run fastest, then rows, batches, splits.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  aOffset: u32,
  aRow: u32,
  aColumn: u32,
  bOffset: u32,
  bRow: u32,
  bColumn: u32,
  outRow: u32,
  outSlice: u32, // elements from one split's output to the next one's
  rowSumsOffset: u32,
  splits: u32,
  splitLength: u32, // stretch of k that a split covers
  batches: u32,
  batchRank: u32,
  hasBias: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
  batchShape: array<vec4u, 2>,
  aBatch: array<vec4u, 2>,
  bBatch: array<vec4u, 2>,
}

const GELU = false; //#param
const TIMES = false; //#param
const ROW_SUMS = false; //#param
const q = 0u; //#loop
const c = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
//#if GELU
@group(0) @binding(6) var<storage, read_write> slopes: array<f32>;
//#end
//#if TIMES
@group(0) @binding(7) var<storage, read> times: array<f32>;
//#end

// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

// Where a batch's operands begin.
fn batch_offsets(batch: u32) -> vec2u {
  var rest = batch;
  var offsets = vec2u(params.aOffset, params.bOffset);
  for (var axis = params.batchRank; axis > 0u; axis--) {
    let i = axis - 1u;
    let n = params.batchShape[i / 4u][i % 4u];
    offsets += (rest % n) * vec2u(params.aBatch[i / 4u][i % 4u], params.bBatch[i / 4u][i % 4u]);
    rest /= n;
  }
  return offsets;
}

// \`sliceRow\` counts rows over all batches.
fn store(sum: f32, place: u32, sliceRow: u32, column: u32) {
  var value = sum;
  if (params.hasBias != 0u) { value += bias[column]; }
  //#if GELU
  slopes[place] = gelu_slope(value);
  value = gelu(value);
  //#end
  //#if TIMES
  value *= times[place];
  //#end
  if (params.hasResidual != 0u) { value += residual[params.residualOffset + sliceRow * params.residualRow + column]; }
  out[place] = value;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = id.x + id.y * groups.x * 64u;
  let columnBlocks = (params.n + 3u) / 4u;
  let rowBlocks = (params.m + 7u) / 8u;
  let slice = block / columnBlocks / rowBlocks;
  if (slice >= params.batches * params.splits) { return; }
  let batch = slice % params.batches;
  let split = slice / params.batches;
  let column = 4u * (block % columnBlocks);
  let row = 8u * (block / columnBlocks % rowBlocks);
  let first = split * params.splitLength;
  let last = min(params.k, first + params.splitLength);

  let start = batch_offsets(batch);
  //#for q in 0..8
  var a__q = start.x + min(row + q, params.m - 1u) * params.aRow + first * params.aColumn;
  var sum__q = vec4f();
  var rowSum__q = 0.0;
  //#end
  //#for c in 0..4
  var b__c = start.y + min(column + c, params.n - 1u) * params.bColumn + first * params.bRow;
  //#end
  for (var k = first; k < last; k++) {
    var y = vec4f();
    //#for c in 0..4
    y[c] = b[b__c];
    b__c += params.bRow;
    //#end
    //#for q in 0..8
    let x__q = a[a__q];
    a__q += params.aColumn;
    sum__q = fma(vec4f(x__q), y, sum__q);
    //#if ROW_SUMS
    rowSum__q += x__q;
    //#end
    //#end
  }

  // In a loop, from an array that only the loop indexes: short to compile, and the sums above stay in registers.
  var sums: array<vec4f, 8>;
  //#for q in 0..8
  sums[q] = sum__q;
  //#end
  let out0 = split * params.outSlice;
  for (var r = 0u; r < min(8u, params.m - row); r++) {
    let sliceRow = batch * params.m + row + r;
    let place = out0 + sliceRow * params.outRow + column;
    for (var c = 0u; c < min(4u, params.n - column); c++) { store(sums[r][c], place + c, sliceRow, column + c); }
  }
  //#if ROW_SUMS
  if (column == 0u) {
    //#for q in 0..8
    if (row + q < params.m) { out[out0 + params.rowSumsOffset + batch * params.m + row + q] = rowSum__q; }
    //#end
  }
  //#end
}
`,
  gemm_reduce: `// gemm_reduce — adds up the partial sums of a product split along k, in the order of the splits, and applies the product's epilogue.
//   partials [splits, slice] → out [slice]: rows of \`n\` elements, \`outRow\` apart, and from \`rowSumsOffset\` on row sums, which get no epilogue.
//   What lies between is left alone.
// Epilogue: out = activation(sum + bias[column]) + residual[row, column]; GELU: its slope goes to \`slopes\`. TIMES: times \`times\`.
// Dispatch: ceil(slice / 64) workgroups, folded into x and y.

struct Params {
  slice: u32, // elements of one split's sums
  splits: u32,
  n: u32,
  rows: u32, // over all batches
  outRow: u32,
  rowSumsOffset: u32,
  hasBias: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
}

const GELU = false; //#param
const TIMES = false; //#param

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
//#if GELU
@group(0) @binding(5) var<storage, read_write> slopes: array<f32>;
//#end
//#if TIMES
@group(0) @binding(6) var<storage, read> times: array<f32>;
//#end

// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let row = i / params.outRow;
  let column = i % params.outRow;
  let isProduct = row < params.rows && column < params.n;
  let isRowSum = i >= params.rowSumsOffset && i < params.slice;
  if (!isProduct && !isRowSum) { return; }

  var value = 0.0;
  for (var split = 0u; split < params.splits; split++) { value += partials[split * params.slice + i]; }
  if (isProduct) {
    if (params.hasBias != 0u) { value += bias[column]; }
    //#if GELU
    slopes[i] = gelu_slope(value);
    value = gelu(value);
    //#end
    //#if TIMES
    value *= times[i];
    //#end
    if (params.hasResidual != 0u) { value += residual[params.residualOffset + row * params.residualRow + column]; }
  }
  out[i] = value;
}
`,
  gemm_tile: `// gemm_tile — C = A·B for GPUs: tiles in workgroup memory.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets; the parameters tell how to load them well
//   out [split, batch, M, N], the epilogue (GELU, TIMES) and ROW_SUMS: as in gemm_portable
// 16 × 16 invocations compute 16·TM rows × 64 columns, TM × 4 each, in steps of 16 along k. While a step is computed the next one's operands are
// on their way from memory. Beyond the edges of the matrices tiles are filled with zeros.
// Operands are loaded and kept as vec4 along the axis that neighbours in memory:
//   A_ALONG_K, B_ALONG_K: that axis is k (a row-major, b transposed), else rows of A or columns of B
//   VEC: vec4 loads; needs stride 1 along that axis, and every other stride and the offsets multiples of 4, for both operands
// A tile along k is [row][k / 4], padded to 5 vec4 a row and read at a distance of 16 rows, so that lanes meet different banks; the other
// kind is [k][row / 4].
// Preconditions: TM is 2, 4 or 8; a multiple of 4 without A_ALONG_K; 4 with ROW_SUMS. \`splitLength\` is a multiple of 16.
// Dispatch: a workgroup for every tile × batch × split, folded into x and y; columns run fastest.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  aOffset: u32,
  aRow: u32,
  aColumn: u32,
  bOffset: u32,
  bRow: u32,
  bColumn: u32,
  outRow: u32,
  outSlice: u32, // elements from one split's output to the next one's
  rowSumsOffset: u32,
  splits: u32,
  splitLength: u32, // stretch of k that a split covers
  batches: u32,
  batchRank: u32,
  hasBias: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
  batchShape: array<vec4u, 2>,
  aBatch: array<vec4u, 2>,
  bBatch: array<vec4u, 2>,
}

const TM = 4u; //#param
const A_ALONG_K = true; //#param
const B_ALONG_K = true; //#param
const VEC = false; //#param
const GELU = false; //#param
const TIMES = false; //#param
const ROW_SUMS = false; //#param
const i = 0u; //#loop
const r = 0u; //#loop
const c = 0u; //#loop
const e = 0u; //#loop

const ROWS = 16u * TM;
const COLUMNS = 64u;
const STEP = 16u;
const PADDED = 5u;

@group(0) @binding(0) var<uniform> params: Params;
//#if VEC
//| @group(0) @binding(1) var<storage, read> a4: array<vec4f>;
//| @group(0) @binding(2) var<storage, read> b4: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
//#end
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
//#if GELU
@group(0) @binding(6) var<storage, read_write> slopes: array<f32>;
//#end
//#if TIMES
@group(0) @binding(7) var<storage, read> times: array<f32>;
//#end

// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

var<workgroup> tileA: array<vec4f, ROWS * PADDED>;
var<workgroup> tileB: array<vec4f, COLUMNS * PADDED>;
//#if ROW_SUMS
var<workgroup> rowSums: array<vec4f, 256>;
//#end

// Where a batch's operands begin.
fn batch_offsets(batch: u32) -> vec2u {
  var rest = batch;
  var offsets = vec2u(params.aOffset, params.bOffset);
  for (var axis = params.batchRank; axis > 0u; axis--) {
    let i = axis - 1u;
    let n = params.batchShape[i / 4u][i % 4u];
    offsets += (rest % n) * vec2u(params.aBatch[i / 4u][i % 4u], params.bBatch[i / 4u][i % 4u]);
    rest /= n;
  }
  return offsets;
}

// Four elements along the operand's axis from (row, k), zeros beyond the edges.
fn load_a(start: u32, row: u32, k: u32, endK: u32) -> vec4f {
  let place = start + row * params.aRow + k * params.aColumn;
  let four = vec4u(0u, 1u, 2u, 3u);
  //#if A_ALONG_K
  let isInside = (k + four < vec4u(endK)) & vec4<bool>(row < params.m);
  let places = place + params.aColumn * four;
  //#else
  //| let isInside = (row + four < vec4u(params.m)) & vec4<bool>(k < endK);
  //| let places = place + params.aRow * four;
  //#end
  //#if VEC
  //| let value = a4[select(0u, place / 4u, isInside.x)];
  //#else
  let safe = select(vec4u(start), places, isInside);
  let value = vec4f(a[safe.x], a[safe.y], a[safe.z], a[safe.w]);
  //#end
  return select(vec4f(), value, isInside);
}

fn load_b(start: u32, k: u32, column: u32, endK: u32) -> vec4f {
  let place = start + k * params.bRow + column * params.bColumn;
  let four = vec4u(0u, 1u, 2u, 3u);
  //#if B_ALONG_K
  let isInside = (k + four < vec4u(endK)) & vec4<bool>(column < params.n);
  let places = place + params.bRow * four;
  //#else
  //| let isInside = (column + four < vec4u(params.n)) & vec4<bool>(k < endK);
  //| let places = place + params.bColumn * four;
  //#end
  //#if VEC
  //| let value = b4[select(0u, place / 4u, isInside.x)];
  //#else
  let safe = select(vec4u(start), places, isInside);
  let value = vec4f(b[safe.x], b[safe.y], b[safe.z], b[safe.w]);
  //#end
  return select(vec4f(), value, isInside);
}

// \`sliceRow\` counts rows over all batches.
fn store(sum: f32, place: u32, sliceRow: u32, column: u32) {
  var value = sum;
  if (params.hasBias != 0u) { value += bias[column]; }
  //#if GELU
  slopes[place] = gelu_slope(value);
  value = gelu(value);
  //#end
  //#if TIMES
  value *= times[place];
  //#end
  if (params.hasResidual != 0u) { value += residual[params.residualOffset + sliceRow * params.residualRow + column]; }
  out[place] = value;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let columnBlocks = (params.n + COLUMNS - 1u) / COLUMNS;
  let rowBlocks = (params.m + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x;
  let slice = block / columnBlocks / rowBlocks;
  if (slice >= params.batches * params.splits) { return; }
  let batch = slice % params.batches;
  let split = slice / params.batches;
  let column0 = COLUMNS * (block % columnBlocks);
  let row0 = ROWS * (block / columnBlocks % rowBlocks);
  let firstK = split * params.splitLength;
  let endK = min(params.k, firstK + params.splitLength);
  let start = batch_offsets(batch);
  let x = lane % 16u; // which columns
  let y = lane / 16u; // which rows

  // What this invocation carries from memory into the tiles: place in the tile, row or column, and k.
  //#for i in 0..(TM+3)/4
  let slot__i = lane + 256u * i;
  //#if A_ALONG_K
  let aPlace__i = slot__i / 4u * PADDED + slot__i % 4u;
  let aRow__i = select(params.m, row0 + slot__i / 4u, slot__i < ROWS * 4u);
  let aK__i = 4u * (slot__i % 4u);
  //#else
  //| let aPlace__i = slot__i;
  //| let aRow__i = row0 + 4u * (slot__i % (ROWS / 4u));
  //| let aK__i = slot__i / (ROWS / 4u);
  //#end
  var aNext__i = load_a(start.x, aRow__i, firstK + aK__i, endK);
  //#end
  //#if B_ALONG_K
  let bPlace = lane / 4u * PADDED + lane % 4u;
  let bColumn = column0 + lane / 4u;
  let bK = 4u * (lane % 4u);
  //#else
  //| let bPlace = lane;
  //| let bColumn = column0 + 4u * (lane % (COLUMNS / 4u));
  //| let bK = lane / (COLUMNS / 4u);
  //#end
  var bNext = load_b(start.y, firstK + bK, bColumn, endK);

  var sum: array<vec4f, TM>;
  var rowSum = vec4f();
  for (var k0 = firstK; k0 < endK; k0 += STEP) {
    //#for i in 0..(TM+3)/4
    if (slot__i < ROWS * 4u) { tileA[aPlace__i] = aNext__i; }
    //#if ROW_SUMS
    rowSum += aNext__i;
    //#end
    //#end
    tileB[bPlace] = bNext;
    workgroupBarrier();
    //#for i in 0..(TM+3)/4
    aNext__i = load_a(start.x, aRow__i, k0 + STEP + aK__i, endK);
    //#end
    bNext = load_b(start.y, k0 + STEP + bK, bColumn, endK);

    for (var q = 0u; q < STEP / 4u; q++) {
      //#if B_ALONG_K
      var columns: array<vec4f, 4>; // [column][k]
      //#for c in 0..4
      columns[c] = tileB[(x + 16u * c) * PADDED + q];
      //#end
      //#end
      //#if A_ALONG_K
      var rows: array<vec4f, TM>; // [row][k]
      //#for r in 0..TM
      rows[r] = tileA[(y + 16u * r) * PADDED + q];
      //#end
      //#end
      //#for e in 0..4
      {
        //#if B_ALONG_K
        let right = vec4f(columns[0][e], columns[1][e], columns[2][e], columns[3][e]);
        //#else
        //| let right = tileB[(4u * q + e) * (COLUMNS / 4u) + x];
        //#end
        //#if A_ALONG_K
        //#for r in 0..TM
        sum[r] = fma(vec4f(rows[r][e]), right, sum[r]);
        //#end
        //#else
        //#for i in 0..TM/4
        //| let left__i = tileA[(4u * q + e) * (ROWS / 4u) + y + 16u * i];
        //#for r in 0..4
        //| sum[4u * i + r] = fma(vec4f(left__i[r]), right, sum[4u * i + r]);
        //#end
        //#end
        //#end
      }
      //#end
    }
    workgroupBarrier();
  }

  let out0 = split * params.outSlice;
  //#for r in 0..TM
  {
    //#if A_ALONG_K
    let row = row0 + y + 16u * r;
    //#else
    //| let row = row0 + 4u * y + r % 4u + 64u * (r / 4u);
    //#end
    let sliceRow = batch * params.m + row;
    if (row < params.m) {
      //#for c in 0..4
      {
        //#if B_ALONG_K
        let column = column0 + x + 16u * c;
        //#else
        //| let column = column0 + 4u * x + c;
        //#end
        if (column < params.n) { store(sum[r][c], out0 + sliceRow * params.outRow + column, sliceRow, column); }
      }
      //#end
    }
  }
  //#end

  //#if ROW_SUMS
  // Every invocation has summed the same 4 rows (or 4 places along k of a row) over all steps: add up those who share a row.
  rowSums[lane] = rowSum;
  workgroupBarrier();
  if (column0 == 0u && lane < ROWS && row0 + lane < params.m) {
    var total = 0.0;
    //#if A_ALONG_K
    for (var q = 0u; q < 4u; q++) { total += dot(rowSums[4u * lane + q], vec4f(1.0)); }
    //#else
    //| for (var k = 0u; k < STEP; k++) { total += rowSums[k * (ROWS / 4u) + lane / 4u][lane % 4u]; }
    //#end
    out[out0 + params.rowSumsOffset + batch * params.m + row0 + lane] = total;
  }
  //#end
}
`,
  jump_relu: `// jump_relu — y = z > θ ? z : 0 with a threshold for each column, its straight-through gradient (Rajamanoharan et al., arXiv 2407.14435), and
// the columns' sums that sparse autoencoders are trained on, in one pass each way. z, y [rows, width], all else [width]; everything dense.
//   forward:  y; SUMS: partials [stretches, 3, width] of every stretch of rows: Σ p, Σ max(θ − z, 0), and how many z > θ,
//             where p is tanh(s·y) with TANH, and else 1 where z > θ.
//   gradient: dz; PARAMETERS: partials [stretches, 2, width]: those of θ, and of s. With K = 1 where |z − θ| < ε/2, and G = dy, with TANH
//             dy + dsums·s·(1 − p²):
//               dz = (z > θ ? G : 0) − (z < θ ? dmissing : 0)
//               dθ = (z < θ ? dmissing : 0) − K/ε·(θ·G + (TANH ? 0 : dsums))
//               ds = dsums·y·(1 − p²)
// A NaN is not above θ. VEC: a column here is four neighbours; needs widths that are multiples of 4. Counts are f32: exact up to 2^24 rows a stretch.
// Dispatch: ceil(width / WIDE · stretches / 64) workgroups.

const VEC = true; //#param
const SUMS = true; //#param
const TANH = true; //#param
const PARAMETERS = true; //#param

struct Params {
  rows: u32,
  columns: u32, // width / WIDE
  stretches: u32,
  epsilon: f32,
  hasDy: u32,
  hasSums: u32,
  hasMissing: u32,
}

//#if VEC
alias Element = vec4f;
alias Truth = vec4<bool>;
//#else
//| alias Element = f32;
//| alias Truth = bool;
//#end

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<Element>;
@group(0) @binding(2) var<storage, read> theta: array<Element>;
@group(0) @binding(3) var<storage, read> scale: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read_write> dz: array<Element>;
@group(0) @binding(5) var<storage, read_write> partials: array<Element>;
@group(0) @binding(6) var<storage, read> dy: array<Element>;
@group(0) @binding(7) var<storage, read> dsums: array<Element>;
@group(0) @binding(8) var<storage, read> dmissing: array<Element>;

// After Cephes: x + x³ P(x²) near 0, else 1 - 2 / (e^2|x| + 1). Arguments beyond ±15 would overflow e^2|x| and are 1 anyway.
fn hyperbolic_tangent(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(15.0));
  let z = v * v;
  var near = -5.70498872745e-3 * z + 2.06390887954e-2;
  near = near * z - 5.37397155531e-2;
  near = near * z + 1.33314422036e-1;
  near = near * z - 3.33332819422e-1;
  near = near * z * v + v;
  let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  let out = select(select(far, -far, v < vec4f(0.0)), near, a < vec4f(0.625));
  return select(out, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn tanh_of(v: Element) -> Element {
  //#if VEC
  return hyperbolic_tangent(v);
  //#else
  //| return hyperbolic_tangent(vec4f(v)).x;
  //#end
}

fn if_true(is: Truth, value: Element) -> Element { return select(Element(), value, is); }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.columns * params.stretches) { return; }
  let column = at % params.columns;
  let stretch = at / params.columns;
  let threshold = theta[column];
  //#if SUMS
  //#if TANH
  let s = scale[column];
  //#end
  var penalties = Element();
  var missing = Element();
  var counts = Element();
  //#end
  for (var row = stretch; row < params.rows; row += params.stretches) {
    let i = row * params.columns + column;
    let value = z[i];
    let isOn = value > threshold;
    let kept = if_true(isOn, value);
    y[i] = kept;
    //#if SUMS
    let one = if_true(isOn, Element(1.0));
    counts += one;
    missing += select(threshold - value, Element(), value >= threshold);
    //#if TANH
    penalties += tanh_of(s * kept);
    //#else
    //| penalties += one;
    //#end
    //#end
  }
  //#if SUMS
  let first = 3u * stretch * params.columns + column;
  partials[first] = penalties;
  partials[first + params.columns] = missing;
  partials[first + 2u * params.columns] = counts;
  //#end
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.columns * params.stretches) { return; }
  let column = at % params.columns;
  let stretch = at / params.columns;
  let threshold = theta[column];
  let ofSums = if_true(Truth(params.hasSums == 1u), dsums[column]);
  let ofMissing = if_true(Truth(params.hasMissing == 1u), dmissing[column]);
  //#if TANH
  let s = scale[column];
  //#end
  //#if PARAMETERS
  var ofThreshold = Element();
  var ofScale = Element();
  //#end
  for (var row = stretch; row < params.rows; row += params.stretches) {
    let i = row * params.columns + column;
    let value = z[i];
    let isOn = value > threshold;
    let missed = if_true(value < threshold, ofMissing);
    var g = Element();
    if (params.hasDy == 1u) { g = dy[i]; }
    //#if TANH
    let kept = if_true(isOn, value);
    let p = tanh_of(s * kept);
    let slope = ofSums * (Element(1.0) - p * p);
    g += s * slope;
    //#end
    dz[i] = if_true(isOn, g) - missed;
    //#if PARAMETERS
    let isNear = abs(value - threshold) < Element(0.5 * params.epsilon);
    //#if TANH
    ofThreshold += missed - if_true(isNear, threshold * g / params.epsilon);
    ofScale += kept * slope;
    //#else
    //| ofThreshold += missed - if_true(isNear, (threshold * g + ofSums) / params.epsilon);
    //#end
    //#end
  }
  //#if PARAMETERS
  partials[2u * stretch * params.columns + column] = ofThreshold;
  partials[(2u * stretch + 1u) * params.columns + column] = ofScale;
  //#end
}
`,
  keep_topk: `// keep_topk — the greatest k values of a group stay where they stand, everything else becomes 0: TopK's and BatchTopK's activation.
//   rows, wide_rows: a group is a row of x [rows, n]; of equal values those that stand first stay, so never more than k.
//   count, narrow, keep: a group is long, or there are few; of values equal to the k-th greatest all stay.
//   gradient: dx = dy where y is not 0.
// A value that is not greater than \`above\` never stays; NaN is the greatest. x, out [rows, n], thresholds [rows].
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
`,
  layer_norm: `// layer_norm — normalises rows of x [rows, length] to mean 0 and variance 1 (Ba, Kiros and Hinton, arXiv 1607.06450).
//   forward:    y = (x − mean) · rstd · weight + bias, rstd = 1 / √(variance + eps); writes mean and rstd too
//   backward:   dx = rstd · (v − mean(v) − x̂ · mean(v · x̂)), v = dy · weight, x̂ = (x − mean) · rstd; PENDING: + pending
//   parameters: partial[split, 0, c] = Σ dy · x̂ and partial[split, 1, c] = Σ dy over the split's rows; columns padded to \`width\`, zeros there
// The variance takes a second pass: E[x²] − E[x]² would cancel. x, dy and pending are rows of any stride, the rest is dense.
// Forms of forward and backward:
//   0  one invocation a row
//   1  LANES = a whole subgroup a row; subgroups lie in order in a workgroup
//   2  LANES of a workgroup a row, tree in workgroup memory
// Dispatch: forward, backward rows · LANES invocations; parameters width · splits invocations in workgroups of 64; folded into x and y.

//#if FORM == 1
enable subgroups;
diagnostic(off, subgroup_uniformity);
//#end

const FORM = 2u; //#param
const LANES = 16u; //#param
const WORKGROUP = 64u; //#param
const WEIGHT = true; //#param
const BIAS = true; //#param
const PENDING = false; //#param

struct Params {
  rows: u32,
  length: u32,
  xOffset: u32,
  xStride: u32,
  dyOffset: u32,
  dyStride: u32,
  eps: f32,
  width: u32,
  splits: u32,
  chunk: u32,
  pendingOffset: u32,
  pendingStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;

@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<storage, read> saved_mean: array<f32>;
@group(0) @binding(3) var<storage, read> saved_rstd: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;
@group(0) @binding(7) var<storage, read> pending: array<f32>;

var<workgroup> slots: array<f32, WORKGROUP>;

/** Sum over the lanes of a row, the same in all of them. */
fn row_sum(own: f32, local: u32) -> f32 {
  var total = own;
  //#if FORM == 1
  for (var step = LANES / 2u; step > 0u; step /= 2u) { total += subgroupShuffleXor(total, step); }
  //#end
  //#if FORM == 2
  workgroupBarrier();
  slots[local] = total;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (local % LANES < step) { slots[local] += slots[local + step]; }
    workgroupBarrier();
  }
  total = slots[local - local % LANES];
  //#end
  return total;
}

/** Four places of a row that one lane takes at once; its next four lie 4 · LANES further on. */
fn places(c: u32) -> vec4u {
  return c + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
}

/** Which of them are there. Those that are not are read as the row's last and dropped: cheaper than a branch. */
fn inside(at: vec4u) -> vec4<bool> {
  return at < vec4u(params.length);
}

fn added(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn x_at(start: u32, at: vec4u) -> vec4f {
  let c = min(at, vec4u(params.length - 1u));
  return vec4f(x[start + c.x], x[start + c.y], x[start + c.z], x[start + c.w]);
}

fn weight_at(at: vec4u) -> vec4f {
  //#if WEIGHT
  let c = min(at, vec4u(params.length - 1u));
  return vec4f(weight[c.x], weight[c.y], weight[c.z], weight[c.w]);
  //#else
  return vec4f(1.0);
  //#end
}

fn bias_at(at: vec4u) -> vec4f {
  //#if BIAS
  let c = min(at, vec4u(params.length - 1u));
  return vec4f(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
  //#else
  return vec4f();
  //#end
}

fn dy_at(start: u32, at: vec4u) -> vec4f {
  let c = min(at, vec4u(params.length - 1u));
  return vec4f(dy[start + c.x], dy[start + c.y], dy[start + c.z], dy[start + c.w]);
}

fn pending_at(row: u32, at: vec4u) -> vec4f {
  //#if PENDING
  let start = params.pendingOffset + row * params.pendingStride;
  let c = min(at, vec4u(params.length - 1u));
  return vec4f(pending[start + c.x], pending[start + c.y], pending[start + c.z], pending[start + c.w]);
  //#else
  return vec4f();
  //#end
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let wanted = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  let row = min(wanted, params.rows - 1u); // invocations beyond the end repeat the last row and write nothing
  let lane = local % LANES;
  let n = params.length;
  let start = params.xOffset + row * params.xStride;
  var sum = vec4f();
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    sum += select(vec4f(), x_at(start, at), inside(at));
  }
  let center = row_sum(added(sum), local) / f32(n);
  var squares = vec4f();
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let d = x_at(start, at) - center;
    squares += select(vec4f(), d * d, inside(at));
  }
  let scale = 1.0 / sqrt(row_sum(added(squares), local) / f32(n) + params.eps);
  if (wanted >= params.rows) { return; }
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let result = (x_at(start, at) - center) * scale * weight_at(at) + bias_at(at);
    y[row * n + at.x] = result.x;
    if (at.y < n) { y[row * n + at.y] = result.y; }
    if (at.z < n) { y[row * n + at.z] = result.z; }
    if (at.w < n) { y[row * n + at.w] = result.w; }
  }
  if (lane == 0u) {
    mean[row] = center;
    rstd[row] = scale;
  }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let wanted = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  let row = min(wanted, params.rows - 1u);
  let lane = local % LANES;
  let n = params.length;
  let start = params.xOffset + row * params.xStride;
  let slope = params.dyOffset + row * params.dyStride;
  let center = saved_mean[row];
  let scale = saved_rstd[row];
  var sum = vec4f();
  var along = vec4f();
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let v = select(vec4f(), dy_at(slope, at) * weight_at(at), inside(at));
    sum += v;
    along += select(vec4f(), v * ((x_at(start, at) - center) * scale), inside(at));
  }
  let sum_mean = row_sum(added(sum), local) / f32(n);
  let along_mean = row_sum(added(along), local) / f32(n);
  if (wanted >= params.rows) { return; }
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let normalized = (x_at(start, at) - center) * scale;
    let result = scale * (dy_at(slope, at) * weight_at(at) - sum_mean - normalized * along_mean) + pending_at(row, at);
    dx[row * n + at.x] = result.x;
    if (at.y < n) { dx[row * n + at.y] = result.y; }
    if (at.z < n) { dx[row * n + at.z] = result.z; }
    if (at.w < n) { dx[row * n + at.w] = result.w; }
  }
}

@compute @workgroup_size(64)
fn parameters(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.width * params.splits) { return; }
  let c = i % params.width;
  let column = min(c, params.length - 1u);
  let split = i / params.width;
  let end = min((split + 1u) * params.chunk, params.rows);
  // Four rows a step in four chains, for the rounding error and because loads then need not wait for one another.
  var for_weight = vec4f();
  var for_bias = vec4f();
  for (var row = split * params.chunk; row < end; row += 4u) {
    let rows = row + vec4u(0u, 1u, 2u, 3u);
    let r = min(rows, vec4u(end - 1u));
    let from_x = params.xOffset + r * params.xStride + column;
    let from_dy = params.dyOffset + r * params.dyStride + column;
    let center = vec4f(saved_mean[r.x], saved_mean[r.y], saved_mean[r.z], saved_mean[r.w]);
    let scale = vec4f(saved_rstd[r.x], saved_rstd[r.y], saved_rstd[r.z], saved_rstd[r.w]);
    let slope = vec4f(dy[from_dy.x], dy[from_dy.y], dy[from_dy.z], dy[from_dy.w]);
    let normalized = (vec4f(x[from_x.x], x[from_x.y], x[from_x.z], x[from_x.w]) - center) * scale;
    for_weight += select(vec4f(), slope * normalized, rows < vec4u(end));
    for_bias += select(vec4f(), slope, rows < vec4u(end));
  }
  partial[2u * split * params.width + c] = select(0.0, added(for_weight), c < params.length);
  partial[(2u * split + 1u) * params.width + c] = select(0.0, added(for_bias), c < params.length);
}
`,
  layer_norm_panel: `// layer_norm_panel — layer_norm for adapters with small subgroups of a fixed size (software: lavapipe 8 lanes, SwiftShader 4).
// One subgroup a workgroup walks \`chunk\` rows and shares each: lane l has the vec4 n·SG + l, n < V, of every row in registers. So weight,
// bias and the sums for their gradients stay there from row to row, and rows are read once: the gradients of x, weight and bias come from
// one kernel. Formulas, names and layouts as in layer_norm.wgsl; lengths, offsets and strides are multiples of 4, length ≤ 4 · SG · V.
//
//   forward:  x, weight, bias → y, mean, rstd
//   backward: x, dy, saved mean and rstd, weight, pending → dx, and partial [workgroup, 2, width]: Σ dy · x̂ and Σ dy over its rows
//
// Lanes beyond the row's end repeat its last vec4 and count as 0.
// Dispatch: ceil(rows / chunk) workgroups, folded into x and y.

enable subgroups;

const SG = 8u; //#param
const V = 2u; //#param
const WEIGHT = true; //#param
const BIAS = true; //#param
const n = 0u; //#loop

struct Params {
  rows: u32,
  length: u32,
  xOffset: u32,
  xStride: u32,
  dyOffset: u32,
  dyStride: u32,
  eps: f32,
  width: u32,
  chunk: u32,
  hasPending: u32, // not a template parameter: a kernel less to compile
  pendingOffset: u32,
  pendingStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> x: array<vec4f>;
@group(0) @binding(5) var<storage, read> weight: array<vec4f>;
@group(0) @binding(6) var<storage, read> bias: array<vec4f>;

@group(0) @binding(1) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(2) var<storage, read> saved_mean: array<f32>;
@group(0) @binding(3) var<storage, read> saved_rstd: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<vec4f>;
@group(0) @binding(7) var<storage, read> pending: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> partial: array<vec4f>;

fn added(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(SG)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * params.chunk;
  let end = min(first + params.chunk, params.rows);
  let count = f32(params.length);
  //#for n in 0..V
  let inside__n = n * SG + lane < params.length / 4u;
  let at__n = min(n * SG + lane, params.length / 4u - 1u);
  //#if WEIGHT
  let weight__n = weight[at__n];
  //#end
  //#if BIAS
  let bias__n = bias[at__n];
  //#end
  //#end
  for (var row = first; row < end; row++) {
    let start = (params.xOffset + row * params.xStride) / 4u;
    var sum = vec4f();
    //#for n in 0..V
    let x__n = x[start + at__n];
    sum += select(vec4f(), x__n, inside__n);
    //#end
    let center = subgroupAdd(added(sum)) / count;
    var squares = vec4f();
    //#for n in 0..V
    let d__n = select(vec4f(), x__n - center, inside__n);
    squares += d__n * d__n;
    //#end
    let scale = 1.0 / sqrt(subgroupAdd(added(squares)) / count + params.eps);
    //#for n in 0..V
    if (inside__n) {
      var y__n = d__n * scale;
      //#if WEIGHT
      y__n *= weight__n;
      //#end
      //#if BIAS
      y__n += bias__n;
      //#end
      y[row * (params.length / 4u) + at__n] = y__n;
    }
    //#end
    if (lane == 0u) {
      mean[row] = center;
      rstd[row] = scale;
    }
  }
}

@compute @workgroup_size(SG)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let block = group.x + group.y * groups.x;
  let first = block * params.chunk;
  if (first >= params.rows) { return; }
  let end = min(first + params.chunk, params.rows);
  let count = f32(params.length);
  //#for n in 0..V
  let inside__n = n * SG + lane < params.length / 4u;
  let at__n = min(n * SG + lane, params.length / 4u - 1u);
  //#if WEIGHT
  let weight__n = weight[at__n];
  //#end
  var for_weight__n = vec4f();
  var for_bias__n = vec4f();
  //#end
  for (var row = first; row < end; row++) {
    let start = (params.xOffset + row * params.xStride) / 4u;
    let slope = (params.dyOffset + row * params.dyStride) / 4u;
    let center = saved_mean[row];
    let scale = saved_rstd[row];
    var sum = vec4f();
    var along = vec4f();
    //#for n in 0..V
    let dy__n = select(vec4f(), dy[slope + at__n], inside__n);
    let normalized__n = select(vec4f(), (x[start + at__n] - center) * scale, inside__n);
    var v__n = dy__n;
    //#if WEIGHT
    v__n *= weight__n;
    //#end
    sum += v__n;
    along += v__n * normalized__n;
    for_weight__n += dy__n * normalized__n;
    for_bias__n += dy__n;
    //#end
    let sum_mean = subgroupAdd(added(sum)) / count;
    let along_mean = subgroupAdd(added(along)) / count;
    //#for n in 0..V
    if (inside__n) {
      var dx__n = scale * (v__n - sum_mean - normalized__n * along_mean);
      if (params.hasPending == 1u) { dx__n += pending[(params.pendingOffset + row * params.pendingStride) / 4u + at__n]; }
      dx[row * (params.length / 4u) + at__n] = dx__n;
    }
    //#end
  }
  //#for n in 0..V
  if (n * SG + lane < params.width / 4u) {
    partial[2u * block * (params.width / 4u) + n * SG + lane] = for_weight__n;
    partial[(2u * block + 1u) * (params.width / 4u) + n * SG + lane] = for_bias__n;
  }
  //#end
}
`,
  linear_gradients_panel: `// linear_gradients_panel — every gradient of y = x·Wᵀ + b from that of y in one walk over the rows, for software adapters.
//   g [rows, outs], weight [outs, ins], x (here \`input\`) [rows, ins]: any offsets; columns of g and x are neighbours
//   dx [rows, ins] = g·W; times \`times\`, dense, and plus residual, where there are such
//   partials [part, slice]: sums over a stretch of rows of gᵀ·x, [outs, ins], and from biasOffset on of g, [outs]
//   G_VEC, X_VEC: g, and all that has ins columns, as vec4: row strides and offsets, and ins, are multiples of 4 then, and what lies behind a
//   row of g up to the next multiple of 4 is loaded, but does not count
// A workgroup is one subgroup. It keeps a block of W, KC × 4·SG with 4 neighbouring columns a lane, and the same block of dW in private memory, and
// walks down rows, U at a time: an element of g is loaded once, and multiplied with W for dx and with x for dW. So three loads or stores do what
// takes two products five. For more than KC outs the walk is repeated with the next block, on top of the sums in dx.
// Private memory is indexed by constants, and sums of rows are stored at the top of the next turn; see gemm_panel for why. Two rows at a time:
// a store to private memory in a loop is a blend with what was there, so that half as many of them are worth the registers; with more rows
// the loop outgrows the processor's first instruction cache.
// Precondition: the subgroup size is SG on this adapter. KC is a multiple of 4·SG.
// Dispatch: a workgroup for every 4·SG columns × part, folded into x and y; columns run fastest.

enable subgroups;

struct Params {
  rows: u32,
  outs: u32,
  ins: u32,
  gOffset: u32,
  gRow: u32,
  xOffset: u32,
  xRow: u32,
  weightOffset: u32,
  weightRow: u32,
  weightColumn: u32,
  hasTimes: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
  stretch: u32, // rows of a part
  parts: u32,
  slice: u32, // elements from one part's sums to the next one's
  biasOffset: u32,
}

const SG = 8u; //#param
const KC = 64u; //#param
const U = 2u; //#param
const G_VEC = false; //#param
const X_VEC = false; //#param
const j = 0u; //#loop
const c = 0u; //#loop
const k = 0u; //#loop
const u = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> g4: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(3) var<storage, read> input4: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(6) var<storage, read> times: array<f32>;
@group(0) @binding(6) var<storage, read> times4: array<vec4f>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read> residual4: array<vec4f>;

@compute @workgroup_size(SG)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.ins + SG * 4u - 1u) / (SG * 4u);
  let block = id.x + id.y * groups.x;
  let part = block / blocks;
  if (part >= params.parts) { return; }
  let column = 4u * (SG * (block % blocks) + lane);
  let columns = vec4u(column) + vec4u(0u, 1u, 2u, 3u);
  let isColumn = columns < vec4u(params.ins);
  let column4 = select(vec4u(params.ins - 1u), columns, isColumn);
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);

  var first = 0u;
  loop {
    let isFirst = first == 0u;
    let isLast = first + KC >= params.outs;
    // What meets the j-th vectors of g, number n = 4 k + c for its k-th element; in several arrays to compile sooner: see gemm_panel.
    //#for j in 0..KC/SG/4
    var panel__j: array<f32, 16 * SG>;
    var ofWeight__j: array<f32, 16 * SG>;
    for (var n = 0u; n < 16 * SG; n++) {
      let at = params.weightOffset + min(first + 4 * SG * j + n / 4u, params.outs - 1u) * params.weightRow;
      panel__j[n] = weight[at + min(column + n % 4u, params.ins - 1u) * params.weightColumn];
      ofWeight__j[n] = 0.0;
    }
    //#end
    // Lane l carries elements 4·l … 4·l + 3 of each 4·SG of a row of g; beyond the last they are 0.
    //#for j in 0..KC/SG/4
    let k__j = vec4u(first + 4u * (j * SG + lane)) + vec4u(0u, 1u, 2u, 3u);
    let isOut__j = k__j < vec4u(params.outs);
    let place__j = params.gOffset + select(vec4u(), k__j, isOut__j);
    var ofBias__j = vec4f();
    //#end
    //#for u in 0..U
    var sum__u = vec4f();
    //#end

    for (var row = firstRow; row < endRow + U; row += U) {
      if (row > firstRow) {
        //#for u in 0..U
        let row__u = row - U + u;
        if (row__u < endRow) {
          let place__u = row__u * params.ins + column;
          var value = sum__u;
          //#if X_VEC
          //| if (isColumn.x) {
          //|   if (!isFirst) { value += dx4[place__u / 4u]; }
          //|   if (isLast && params.hasTimes != 0u) { value *= times4[place__u / 4u]; }
          //|   if (isLast && params.hasResidual != 0u) {
          //|     value += residual4[(params.residualOffset + row__u * params.residualRow + column) / 4u];
          //|   }
          //|   dx4[place__u / 4u] = value;
          //| }
          //#else
          //#for c in 0..4
          if (isColumn[c]) {
            if (!isFirst) { value[c] += dx[place__u + c]; }
            if (isLast) {
              if (params.hasTimes != 0u) { value[c] *= times[place__u + c]; }
              if (params.hasResidual != 0u) { value[c] += residual[params.residualOffset + row__u * params.residualRow + column + c]; }
            }
            dx[place__u + c] = value[c];
          }
          //#end
          //#end
        }
        //#end
      }
      // The last turn only stores: rows beyond the last are 0.
      //#for u in 0..U
      let isRow__u = row + u < endRow;
      let at__u = min(row + u, endRow - 1u);
      //#for j in 0..KC/SG/4
      //#if G_VEC
      //| let g__u__j = select(vec4f(), g4[(place__j.x + at__u * params.gRow) / 4u], isOut__j & vec4<bool>(isRow__u));
      //#else
      let gPlace__u__j = place__j + at__u * params.gRow;
      let gFour__u__j = vec4f(g[gPlace__u__j.x], g[gPlace__u__j.y], g[gPlace__u__j.z], g[gPlace__u__j.w]);
      let g__u__j = select(vec4f(), gFour__u__j, isOut__j & vec4<bool>(isRow__u));
      //#end
      ofBias__j += g__u__j;
      //#end
      let xRow__u = params.xOffset + at__u * params.xRow;
      //#if X_VEC
      //| let x__u = select(vec4f(), input4[(xRow__u + column4.x) / 4u], isRow__u);
      //#else
      let xFour__u = vec4f(input[xRow__u + column4.x], input[xRow__u + column4.y], input[xRow__u + column4.z], input[xRow__u + column4.w]);
      let x__u = select(vec4f(), xFour__u, isRow__u);
      //#end
      sum__u = vec4f();
      //#end
      //#for j in 0..KC/SG/4
      //#for k in 0..4*SG
      {
        let weights = vec4f(panel__j[4 * k], panel__j[4 * k + 1], panel__j[4 * k + 2], panel__j[4 * k + 3]);
        //#for u in 0..U
        sum__u = fma(vec4f(subgroupBroadcast(g__u__j[k % 4u], k / 4u)), weights, sum__u);
        //#end
      }
      //#end
      //#end
      //#for j in 0..KC/SG/4
      //#for k in 0..4*SG
      {
        //#for u in 0..U
        let element__u = vec4f(subgroupBroadcast(g__u__j[k % 4u], k / 4u));
        //#end
        var four = vec4f(ofWeight__j[4 * k], ofWeight__j[4 * k + 1], ofWeight__j[4 * k + 2], ofWeight__j[4 * k + 3]);
        //#for u in 0..U
        four = fma(element__u, x__u, four);
        //#end
        //#for c in 0..4
        ofWeight__j[4 * k + c] = four[c];
        //#end
      }
      //#end
      //#end
    }

    // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
    let sums = part * params.slice;
    //#for j in 0..KC/SG/4
    for (var n = 0u; n < 4u * min(4 * SG, params.outs - min(params.outs, first + 4 * SG * j)); n++) {
      let at = column + n % 4u;
      if (at < params.ins) { partials[sums + (first + 4 * SG * j + n / 4u) * params.ins + at] = ofWeight__j[n]; }
    }
    //#end
    if (block % blocks == 0u) {
      var ofBias: array<f32, KC / SG>;
      //#for j in 0..KC/SG/4
      //#for c in 0..4
      ofBias[4u * j + c] = ofBias__j[c];
      //#end
      //#end
      for (var n = 0u; n < min(KC / SG, params.outs); n++) {
        let at = first + 4u * (n / 4u * SG + lane) + n % 4u;
        if (at < params.outs) { partials[sums + params.biasOffset + at] = ofBias[n]; }
      }
    }
    first += KC;
    if (first >= params.outs) { break; }
  }
}
`,
  mse_loss: `// mse_loss — (a − b)² of dense a and b, its sum in parts, and its gradient. Four elements a step; the last step's rest counts for nothing.
//   elements: loss[i] = (a[i] − b[i])²
//   parts:    part[t] = Σ (a − b)² over the steps t, t + parts, t + 2 · parts, …
//   backward: da[i] = scale · (a[i] − b[i]) · slope (PER_ELEMENT: slope[i])
// Dispatch: one invocation a step (elements, backward) or a part (parts), in workgroups of 64, folded into x and y.

const PER_ELEMENT = false; //#param

struct Params {
  size: u32,
  parts: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> loss: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
@group(0) @binding(3) var<storage, read_write> da: array<vec4f>;
@group(0) @binding(4) var<storage, read> slope: array<f32>;
@group(0) @binding(4) var<storage, read> slope4: array<vec4f>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (4u * i >= params.size) { return; }
  let d = a[i] - b[i];
  loss[i] = d * d;
}

@compute @workgroup_size(64)
fn parts(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let t = linear_index(id, groups);
  if (t >= params.parts) { return; }
  var sum = vec4f();
  for (var i = t; 4u * i < params.size; i += params.parts) {
    let d = a[i] - b[i];
    let inside = 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.size);
    sum += select(vec4f(), d * d, inside);
  }
  part[t] = (sum.x + sum.y) + (sum.z + sum.w);
}

fn slope_at(i: u32) -> vec4f {
  //#if PER_ELEMENT
  //| return slope4[i];
  //#else
  return vec4f(slope[0]);
  //#end
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (4u * i >= params.size) { return; }
  da[i] = params.scale * (a[i] - b[i]) * slope_at(i);
}
`,
  optimizer: `// optimizer — one step of SGD, Adam or AdamW over a flat arena of parameters, four elements an invocation.
//   clip_*: factor = min(1, maxNorm / (‖gradient‖ + 1e-6)), torch's clip_grad_norm_; norm in clip[1]. Two stages, fixed trees.
//   adam:   Kingma & Ba 2014; AdamW (Loshchilov & Hutter 2017) decays the weights apart from the gradient (\`decoupled\`).
//   sgd:    with momentum, dampening and Nesterov's form as in PyTorch.
// All flat tensors [length], length a multiple of 4. Rates, step counts and factors are data, so a captured step follows a schedule.
// Dispatch: adam, sgd: ceil(length / 256) workgroups; clip_partial: at most 256; clip_total: 1.

struct Params {
  start: u32,        // first vec4 of the stretch
  length: u32,       // in vec4
  clipped: u32,      // 1: scale gradients by clip[0]
  decoupled: u32,    // 1: AdamW, 0: decay added to the gradient
  learningRate: f32,
  weightDecay: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  correction1: f32,  // 1 - beta1^t
  correction2: f32,  // 1 - beta2^t
  momentum: f32,
  dampening: f32,    // 0 at the first step
  nesterov: u32,
  maxNorm: f32,
  partials: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<storage, read> partialSums: array<f32>;
@group(0) @binding(1) var<storage, read_write> clipFactor: array<f32>;

var<workgroup> sums: array<f32, 64>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

fn gradient_at(i: u32) -> vec4f {
  return select(gradients[i], gradients[i] * clip[0], params.clipped == 1u);
}

@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups);
  if (at >= params.length) { return; }
  let i = params.start + at;
  var value = values[i];
  var gradient = gradient_at(i);
  if (params.decoupled == 1u) {
    value *= 1.0 - params.learningRate * params.weightDecay;
  } else {
    gradient += params.weightDecay * value;
  }
  let m = params.beta1 * first[i] + (1.0 - params.beta1) * gradient;
  let v = params.beta2 * second[i] + (1.0 - params.beta2) * gradient * gradient;
  first[i] = m;
  second[i] = v;
  // epsilon outside of the root, as in PyTorch: a denormal v must not be divided by
  let denominator = sqrt(v) / sqrt(params.correction2) + params.epsilon;
  values[i] = value - (params.learningRate / params.correction1) * m / denominator;
}

@compute @workgroup_size(64)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups);
  if (at >= params.length) { return; }
  let i = params.start + at;
  let gradient = gradient_at(i) + params.weightDecay * values[i];
  let velocity = params.momentum * first[i] + (1.0 - params.dampening) * gradient;
  first[i] = velocity;
  let step = select(velocity, gradient + params.momentum * velocity, params.nesterov == 1u);
  values[i] -= params.learningRate * step;
}

fn tree_sum(lane: u32, mine: f32) -> f32 {
  sums[lane] = mine;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  return sums[0];
}

@compute @workgroup_size(64)
fn clip_partial(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = group.x * 64u + lane; i < params.length; i += groups.x * 64u) {
    let g = gradients[params.start + i];
    sum += dot(g, g);
  }
  let total = tree_sum(lane, sum);
  if (lane == 0u) { partial[group.x] = total; }
}

@compute @workgroup_size(64)
fn clip_total(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < params.partials; i += 64u) { sum += partialSums[i]; }
  let norm = sqrt(tree_sum(lane, sum));
  if (lane == 0u) {
    clipFactor[0] = min(1.0, params.maxNorm / (norm + 1e-6));
    clipFactor[1] = norm;
  }
}
`,
  random: `// random — random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). One block of four words an invocation: element i is lane i % 4 of the block with counter offset + i / 4, a 64-bit number.
//   fill_uniform:   out[i] in [low, high)
//   fill_normal:    out[i] standard normal, by Box and Muller from the lane's pair of words
//   fill_integers:  out[i] in first … first + count - 1, the upper half of word · count
//   fill_bernoulli: out[i] = 1 with the probability, else 0
//   choose:         out[row] = a place of p[row, :] with probability proportional to what stands there: the first where the running sum
//                   exceeds uniform number \`row\` times the whole sum
// out: dense, written in whole vectors (the last one's surplus lands in the padding of its memory).
// Dispatch: ceil(vectors / 64) workgroups, folded into x and y; \`choose\`: one workgroup a row, likewise folded.

struct Params {
  vectors: u32,
  keyLow: u32,
  keyHigh: u32,
  offsetLow: u32,
  offsetHigh: u32,
  low: f32,
  high: f32,
  probability: f32,
  first: u32,
  count: u32,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> words4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn fill_uniform(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let value = params.low + (params.high - params.low) * unit(block(i));
  // Rounding may reach \`high\`, which is excluded.
  out4[i] = select(value, vec4f(params.low), value >= vec4f(params.high));
}

@compute @workgroup_size(64)
fn fill_normal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let u = unit(block(i));
  out4[i] = vec4f(box_muller(u.xy), box_muller(u.zw));
}

@compute @workgroup_size(64)
fn fill_integers(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let w = block(i);
  let n = params.count;
  let upper = vec4u(multiply(w.x, n).y, multiply(w.y, n).y, multiply(w.z, n).y, multiply(w.w, n).y);
  words4[i] = vec4u(params.first) + upper;
}

@compute @workgroup_size(64)
fn fill_bernoulli(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  out4[i] = select(vec4f(0.0), vec4f(1.0), unit(block(i)) < vec4f(params.probability));
}

// First the sum of each invocation's run of columns, then the sum of everything before it, and of everything.
var<workgroup> sums: array<f32, 65>;

@compute @workgroup_size(64)
fn choose(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  let length = (params.columns + 63u) / 64u;
  let start = min(lane * length, params.columns);
  let end = select(start, min(start + length, params.columns), row < params.rows);
  let base = row * params.columns;
  var run = 0.0;
  for (var c = start; c < end; c++) { run += p[base + c]; }
  sums[lane + 1u] = run;
  workgroupBarrier();
  if (lane == 0u) {
    sums[0] = 0.0;
    for (var k = 1u; k <= 64u; k++) { sums[k] += sums[k - 1u]; }
  }
  workgroupBarrier();
  let total = sums[64];
  let before = sums[lane];
  let threshold = unit(block(row / 4u))[row % 4u] * total;
  // The sums never fall, so this holds for one invocation. It adds its run up again in the same order.
  if (before <= threshold && threshold < sums[lane + 1u]) {
    var chosen = start;
    run = 0.0;
    for (var c = start; c < end; c++) {
      let weight = p[base + c];
      run += weight;
      if (weight > 0.0) { chosen = c; }
      if (before + run > threshold) { break; }
    }
    out[row] = chosen;
  }
  // Nothing to choose from.
  if (lane == 0u && row < params.rows && !(total > 0.0)) { out[row] = params.columns - 1u; }
}

// Uniform in [0, 1): 24 bits, which f32 holds exactly.
fn unit(words: vec4u) -> vec4f {
  return vec4f(words >> vec4u(8u)) * 5.9604644775390625e-8;
}

// Two standard normals from two uniforms in [0, 1).
fn box_muller(u: vec2f) -> vec2f {
  let radius = sqrt(-2.0 * logarithm(1.0 - u.x));
  return radius * circle(u.y);
}

// ln v of a normal number, after musl's logf: v = 2^k (1 + f) with 1 + f in [√½, √2), then ln(1 + f) by a polynomial in (f / (2 + f))².
// WGSL's own log promises too few digits near 1.
fn logarithm(v: f32) -> f32 {
  let shifted = bitcast<u32>(v) + (0x3f800000u - 0x3f3504f3u);
  let k = f32(i32(shifted >> 23u) - 127);
  let f = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let half = 0.5 * f * f;
  return (s * (half + r) + k * 9.0580006145e-6 - half) + f + k * 0.69313812256;
}

// Cosine and sine of turns · 2π for turns in [0, 1): the quarter turn is taken off exactly, the rest after Cephes.
fn circle(turns: f32) -> vec2f {
  let quarter = floor(turns * 4.0 + 0.5);
  let r = (turns * 4.0 - quarter) * 1.5707963267948966;
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  switch (u32(quarter) % 4u) {
    case 0u: { return vec2f(c, s); }
    case 1u: { return vec2f(-s, c); }
    case 2u: { return vec2f(-c, -s); }
    default: { return vec2f(s, -c); }
  }
}

// The four words of the block that an index selects.
fn block(i: u32) -> vec4u {
  let low = params.offsetLow + i;
  var c = vec4u(low, params.offsetHigh + select(0u, 1u, low < i), 0u, 0u);
  var k = vec2u(params.keyLow, params.keyHigh);
  for (var round = 0u; round < 10u; round++) {
    let p0 = multiply(0xd2511f53u, c.x);
    let p1 = multiply(0xcd9e8d57u, c.z);
    c = vec4u(p1.y ^ c.y ^ k.x, p1.x, p0.y ^ c.w ^ k.y, p0.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u); // the golden ratio and √3 - 1
  }
  return c;
}

// The 64-bit product of two words, lower half first: by halves of words, for WGSL has no wider integers.
fn multiply(a: u32, b: u32) -> vec2u {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let high = ah * bh + (middle >> 16u) + ((al * bh + (middle & 0xffffu)) >> 16u);
  return vec2u(a * b, high);
}
`,
  reduce: `// reduce — folds axes of a strided tensor: out[o] = finish(fold over r of map(x[o, r])).
// x is indexed by \`outputs\` kept and \`length\` reduced elements, each an iteration space of its own with shape and strides (in elements).
// The reduced range is cut into \`splits\` stretches of \`chunk\` elements; with more than one, out is [splits, outputs] and another dispatch folds
// that. Everything is a fixed tree: a lane keeps four chains of at most 16 elements, folds them into a total, and lanes fold pairwise. So the
// rounding error of a sum grows like a logarithm, and equal inputs give equal bits.
// Elements and accumulators travel as bits, so that one kernel serves every dtype; greatest and least values are found as ordered integer keys.
// FORM 0: one invocation per stretch, neighbours take neighbouring outputs (workgroup 64).
// FORM 1: LANES lanes of one subgroup per stretch; LANES is the subgroup's size, subgroups lie in order in a workgroup of 64.
// FORM 2: a workgroup of LANES (a power of two) per stretch.
// Dispatch: one invocation × lanes per stretch, folded into x and y.

//#if FORM == 1
enable subgroups;
diagnostic(off, subgroup_uniformity);
//#end

const FORM = 2u; //#param
const LANES = 64u; //#param
const WORKGROUP = 64u; //#param
const MAP = 0u; //#param
const COMBINE = 0u; //#param
const FINISH = 0u; //#param
const ORDER = 0u; //#param
/** Whether the reduced axes are a single one. */
const FLAT = true; //#param

const MAP_NONE = 0u;
const MAP_ABS = 1u;
const MAP_SQUARE = 2u;
const MAP_SQUARED_DEVIATION = 3u; // (x − reference)²
const MAP_EXP = 4u; // exp(x − reference), reference taken as 0 where it is not finite
const MAP_ZERO_AS_ONE = 5u;
const MAP_IS_ZERO = 6u;
const MAP_KEY = 7u;
const MAP_PLACE = 8u; // ~r where x has the key \`reference\`, else 0
const MAP_EQUALS = 9u; // 1 where x = reference
const MAP_TRUTH = 10u; // 1 where x ≠ 0; turned round where the least is wanted

const COMBINE_ADD = 0u;
const COMBINE_MULTIPLY = 1u;
const COMBINE_ADD_INTEGERS = 2u;
const COMBINE_MAX = 3u; // of unsigned integers

const FINISH_NONE = 0u;
const FINISH_SCALE = 1u;
const FINISH_SQRT = 2u; // √(scale · total)
const FINISH_LOG = 3u; // reference + log(total)
const FINISH_VALUE = 4u; // what a key stands for
const FINISH_INVERT = 5u; // ~total
const FINISH_NOT = 6u; // 1 − total

const IS_I32 = (ORDER & 1u) != 0u;
const IS_F32 = (ORDER & 3u) == 0u; // else integers
const WANTS_LEAST = (ORDER & 4u) != 0u;
const WANTS_ABS = (ORDER & 8u) != 0u;

struct Params {
  outputs: u32,
  length: u32,
  splits: u32,
  chunk: u32,
  offset: u32,
  keptRank: u32,
  reducedRank: u32,
  scale: f32,
  keptShape: array<vec4u, 2>,
  keptStrides: array<vec4u, 2>,
  reducedShape: array<vec4u, 2>,
  reducedStrides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<u32>;
@group(0) @binding(3) var<storage, read> reference: array<u32>;

var<workgroup> shared_totals: array<u32, LANES>;

fn is_nan(bits: u32) -> bool { return (bits & 0x7fffffffu) > 0x7f800000u; }
fn is_finite(bits: u32) -> bool { return (bits & 0x7f800000u) != 0x7f800000u; }

/** Unsigned integers in the order of the values, NaN above all; turned round where the least value is wanted, NaN still above all. */
fn key(given: u32) -> u32 {
  var bits = select(given, given & 0x7fffffffu, WANTS_ABS);
  if (IS_F32) {
    bits = select(bits, 0u, bits == 0x80000000u);
    bits ^= select(0x80000000u, 0xffffffffu, bits >= 0x80000000u);
  } else if (IS_I32) {
    bits ^= 0x80000000u;
  }
  return select(select(bits, ~bits, WANTS_LEAST), 0xffffffffu, IS_F32 && is_nan(given));
}

/** What a key stands for; 0 is no key of an f32, but the fold of nothing. */
fn value_of_key(given: u32) -> u32 {
  let bits = select(given, ~given, WANTS_LEAST);
  if (IS_I32) { return bits ^ 0x80000000u; }
  if (!IS_F32) { return bits; }
  let value = bits ^ select(0xffffffffu, 0x80000000u, bits >= 0x80000000u);
  let of_nothing = select(select(0xff800000u, 0x7f800000u, WANTS_LEAST), 0u, WANTS_ABS);
  return select(select(value, of_nothing, given == 0u), 0x7fc00000u, given == 0xffffffffu);
}

fn identity() -> u32 {
  return select(0u, 0x3f800000u, COMBINE == COMBINE_MULTIPLY);
}

fn combine4(a: vec4u, b: vec4u) -> vec4u {
  if (COMBINE == COMBINE_ADD) { return bitcast<vec4u>(bitcast<vec4f>(a) + bitcast<vec4f>(b)); }
  if (COMBINE == COMBINE_MULTIPLY) { return bitcast<vec4u>(bitcast<vec4f>(a) * bitcast<vec4f>(b)); }
  if (COMBINE == COMBINE_ADD_INTEGERS) { return a + b; }
  return max(a, b);
}

fn combine(a: u32, b: u32) -> u32 {
  if (COMBINE == COMBINE_ADD) { return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)); }
  if (COMBINE == COMBINE_MULTIPLY) { return bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b)); }
  if (COMBINE == COMBINE_ADD_INTEGERS) { return a + b; }
  return max(a, b);
}

fn reference_bits(output: u32) -> u32 {
  //#if MAP == 3 || MAP == 4 || MAP == 8 || MAP == 9 || FINISH == 3
  return reference[output];
  //#else
  return 0u;
  //#end
}

fn mapped(bits: u32, place: u32, against: u32) -> u32 {
  let v = bitcast<f32>(bits);
  if (MAP == MAP_ABS) { return bits & 0x7fffffffu; }
  if (MAP == MAP_SQUARE) { return bitcast<u32>(v * v); }
  if (MAP == MAP_SQUARED_DEVIATION) {
    let d = v - bitcast<f32>(against);
    return bitcast<u32>(d * d);
  }
  if (MAP == MAP_EXP) { return bitcast<u32>(exp(v - bitcast<f32>(select(0u, against, is_finite(against))))); }
  if (MAP == MAP_ZERO_AS_ONE) { return select(bits, 0x3f800000u, (bits & 0x7fffffffu) == 0u); }
  if (MAP == MAP_IS_ZERO) { return select(0u, 1u, (bits & 0x7fffffffu) == 0u); }
  if (MAP == MAP_KEY) { return key(bits); }
  if (MAP == MAP_PLACE) { return select(0u, ~place, key(bits) == against); }
  if (MAP == MAP_EQUALS) { return select(0u, 1u, select(v, abs(v), WANTS_ABS) == bitcast<f32>(against)); }
  if (MAP == MAP_TRUTH) {
    let is_zero = bits == 0u || (IS_F32 && bits == 0x80000000u);
    return select(0u, 1u, is_zero == WANTS_LEAST);
  }
  return bits;
}

fn finished(total: u32, against: u32) -> u32 {
  if (FINISH == FINISH_SCALE) { return bitcast<u32>(bitcast<f32>(total) * params.scale); }
  if (FINISH == FINISH_SQRT) { return bitcast<u32>(sqrt(bitcast<f32>(total) * params.scale)); }
  if (FINISH == FINISH_LOG) { return select(against, bitcast<u32>(bitcast<f32>(against) + log(bitcast<f32>(total))), is_finite(against)); }
  if (FINISH == FINISH_VALUE) { return value_of_key(total); }
  if (FINISH == FINISH_INVERT) { return ~total; }
  if (FINISH == FINISH_NOT) { return 1u - total; }
  return total;
}

/** Where an output's elements begin. */
fn base_of(output: u32) -> u32 {
  var rest = output;
  var place = params.offset;
  for (var axis = params.keptRank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.keptShape[a / 4u][a % 4u];
    place += (rest % n) * params.keptStrides[a / 4u][a % 4u];
    rest /= n;
  }
  return place + rest * params.keptStrides[0][0];
}

/** Where element r lies from its output's first. */
fn place_of(r: u32) -> u32 {
  if (FLAT) { return r * params.reducedStrides[0][0]; }
  var rest = r;
  var place = 0u;
  for (var axis = params.reducedRank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.reducedShape[a / 4u][a % 4u];
    place += (rest % n) * params.reducedStrides[a / 4u][a % 4u];
    rest /= n;
  }
  return place + rest * params.reducedStrides[0][0];
}

/** The element r, or what changes nothing beyond the end: read anyway and dropped, for a branch costs more. */
fn element(base: u32, r: u32, end: u32, against: u32) -> u32 {
  return select(identity(), mapped(x[base + place_of(min(r, end - 1u))], r, against), r < end);
}

/** Folds the lanes of a stretch; every lane gets the total. */
fn across(own: u32, lane: u32) -> u32 {
  var total = own;
  //#if FORM == 1
  for (var step = LANES / 2u; step > 0u; step /= 2u) { total = combine(total, subgroupShuffleXor(total, step)); }
  //#end
  //#if FORM == 2
  shared_totals[lane] = total;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (lane < step) { shared_totals[lane] = combine(shared_totals[lane], shared_totals[lane + step]); }
    workgroupBarrier();
  }
  total = shared_totals[0];
  //#end
  return total;
}

@compute @workgroup_size(WORKGROUP)
fn reduce(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let invocation = (group.x + group.y * groups.x) * WORKGROUP + local;
  let lane = local % LANES;
  let stretches = params.outputs * params.splits;
  let wanted = invocation / LANES;
  let stretch = min(wanted, stretches - 1u); // invocations beyond the end repeat the last stretch and write nothing
  let output = select(stretch / params.splits, stretch % params.outputs, FORM == 0u);
  let split = select(stretch % params.splits, stretch / params.outputs, FORM == 0u);
  let base = base_of(output);
  let against = reference_bits(output);
  let end = min((split + 1u) * params.chunk, params.length);
  var total = identity();
  var at = split * params.chunk;
  while (at < end) {
    let stop = min(end, at + 64u * LANES);
    var chains = vec4u(identity());
    for (; at < stop; at += 4u * LANES) {
      let r = at + lane;
      let next = vec4u(
        element(base, r, end, against),
        element(base, r + LANES, end, against),
        element(base, r + 2u * LANES, end, against),
        element(base, r + 3u * LANES, end, against),
      );
      chains = combine4(chains, next);
    }
    total = combine(total, combine(combine(chains.x, chains.y), combine(chains.z, chains.w)));
  }
  total = across(total, lane);
  if (lane == 0u && wanted < stretches) { out[split * params.outputs + output] = finished(total, against); }
}
`,
  reduce_gradient: `// reduce_gradient — gradients of reductions that depend on the element: dx[i] = f(x[i], y[o], extra[o]) · g[o], where o is the output that
// element i was folded into. x is any view; dx is dense; y, extra and g are dense with one value an output.
// Dispatch: ceil(size / 64) workgroups, folded into x and y.

const KIND = 0u; //#param

const KIND_EXTREME = 0u; // g / extra where x = y, extra a count (u32): equal maxima share
const KIND_VARIANCE = 1u; // scale · (x − extra) · g, extra the mean
const KIND_STD = 2u; // scale · (x − extra) / y · g
const KIND_NORM_1 = 3u; // sign(x) · g
const KIND_NORM_2 = 4u; // x / y · g
const KIND_NORM_MAX = 5u; // sign(x) · g / extra where |x| = y, extra a count (u32)
const KIND_LOGSUMEXP = 6u; // exp(x − y) · g
const KIND_PRODUCT = 7u; // g · product of the others; y the product of what is not zero, extra the number of zeros (u32)

struct Params {
  size: u32,
  rank: u32,
  offset: u32,
  scale: f32,
  shape: array<vec4u, 2>,
  strides: array<vec4u, 2>,
  outputStrides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read> extra: array<u32>;

fn y_of(o: u32) -> f32 {
  //#if KIND != 3
  return y[o];
  //#else
  return 0.0;
  //#end
}

fn extra_of(o: u32) -> u32 {
  //#if KIND != 3 && KIND != 4 && KIND != 6
  return extra[o];
  //#else
  return 0u;
  //#end
}

/** True for NaN; comparing with itself does not tell on some drivers, and their exp hides it. */
fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn derivative(v: f32, o: u32) -> f32 {
  let slope = g[o];
  let result = y_of(o);
  let more = extra_of(o);
  let centred = v - bitcast<f32>(more);
  if (KIND == KIND_EXTREME) { return select(0.0, slope / f32(more), v == result); }
  if (KIND == KIND_VARIANCE) { return params.scale * centred * slope; }
  if (KIND == KIND_STD) { return select(params.scale * centred / result * slope, 0.0, result == 0.0); }
  if (KIND == KIND_NORM_1) { return sign(v) * slope; }
  if (KIND == KIND_NORM_2) { return select(v / result * slope, 0.0, result == 0.0); }
  if (KIND == KIND_NORM_MAX) { return select(0.0, sign(v) * slope / f32(more), abs(v) == result); }
  if (KIND == KIND_LOGSUMEXP) { return select(exp(v - result), v - result, is_nan(v - result)) * slope; }
  if (more == 0u) { return slope * (result / v); }
  return select(0.0, slope * result, more == 1u && v == 0.0);
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size) { return; }
  var rest = i;
  var place = params.offset;
  var output = 0u;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.strides[a / 4u][a % 4u];
    output += at * params.outputStrides[a / 4u][a % 4u];
  }
  dx[i] = derivative(x[place], output);
}
`,
  relu_autoencoder: `// relu_autoencoder — a training step of an autoencoder with ReLU for software adapters, in few passes over its features f [B, F].
//   xc = x − center (b_dec or 0), f = max(xc·We + be, 0), y = f·Wd + b_dec (a product like any other), e = y − x; x and y [B, D], D ≤ KD.
//   relu_autoencoder_encode.main:   f, and sums of its columns.
//   measure:  e; and partials [stretches, 2, D]: sums of e's columns, and of their squares.
//   add_up:   scale·Σ e² + totalScale·Σ f, and each of them, of the partials of measure and of encode; the latter's stretches are \`splits\`.
//   relu_autoencoder_backward.main: gradients of We, Wd and be, of stretches of rows.
//   finish:   adds the splits up to dWe [D, F], dWd [F, D] and dbe [F]; and db_dec = s·Σ e − We·dbe, the latter if x is centered.
// We, Wd, the biases, e, y and f are dense; x has any stride between rows. NaN stays NaN and is not counted.
//   VEC: what is moved much is moved as vec4; needs D, F, and x's offset and stride to be multiples of 4
// Dispatch: measure: ceil(ceil(D / 4)·stretches / 64); add_up: 1; finish: ceil(((2·D·F + F) / WIDE + D) / 64).

enable subgroups;

const SG = 8u; //#param
const n = 0u; //#loop

// What the kernels of an autoencoder with ReLU share: see relu_autoencoder.wgsl.
struct Params {
  rows: u32,
  width: u32,    // D
  features: u32, // F
  stretch: u32,  // rows of a workgroup
  stretches: u32,
  splits: u32,
  xOffset: u32,
  xRow: u32,
  centered: u32,
  hasSums: u32,  // 1: dsums is given,
  sumsStep: u32, // with so many elements from one feature's to the next one's
  sumsOffset: u32,
  sumsScale: f32,
  hasSlope: u32, // 1: s = scale·slope[0], 0: s = 1
  scale: f32,
  totalScale: f32,
  errorStep: u32, // elements from one stretch's sums of e to the next one's
}

const VEC = false; //#param

@group(0) @binding(0) var<uniform> params: Params;
//#if VEC
//| @group(0) @binding(1) var<storage, read> x: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read> x: array<f32>;
//#end

// Elements at four neighbouring places, or with VEC at those that begin with the first.
fn x_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return x[place.x / 4u];
  //#else
  return vec4f(x[place.x], x[place.y], x[place.z], x[place.w]);
  //#end
}

fn four_from(start: u32) -> vec4u { return vec4u(start) + vec4u(0u, 1u, 2u, 3u); }

// Of a lane's features the n-th, from its first; and of its columns the n-th.
fn feature_of(n: u32) -> u32 { return n / 4u * 4u * SG + n % 4u; }
fn column_of(lane: u32, n: u32) -> u32 { return 4u * (n / 4u * SG + lane) + n % 4u; }

//#if VEC
//| alias Element = vec4f;
//| const WIDE = 4u;
//| @group(0) @binding(2) var<storage, read> y: array<vec4f>;
//| @group(0) @binding(3) var<storage, read_write> e: array<vec4f>;
//| @group(0) @binding(1) var<storage, read> parts: array<vec4f>;
//| @group(0) @binding(2) var<storage, read> encoder: array<vec4f>;
//| @group(0) @binding(4) var<storage, read_write> dEncoder: array<vec4f>;
//| @group(0) @binding(5) var<storage, read_write> dDecoder: array<vec4f>;
//| @group(0) @binding(6) var<storage, read_write> dEncoderBias: array<vec4f>;
//#else
alias Element = f32;
const WIDE = 1u;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> e: array<f32>;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read> encoder: array<f32>;
@group(0) @binding(4) var<storage, read_write> dEncoder: array<f32>;
@group(0) @binding(5) var<storage, read_write> dDecoder: array<f32>;
@group(0) @binding(6) var<storage, read_write> dEncoderBias: array<f32>;
//#end
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(3) var<storage, read> errorParts: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> dDecoderBias: array<f32>;
@group(0) @binding(8) var<storage, read> slope: array<f32>;

@compute @workgroup_size(64)
fn measure(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let fours = (params.width + 3u) / 4u;
  let part = i / fours;
  let column = four_from(4u * (i % fours));
  if (part >= params.stretches) { return; }
  let isInside = column < vec4u(params.width);
  let d = select(vec4u(), column, isInside);
  var sum = vec4f();
  var squares = vec4f();
  for (var row = part; row < params.rows; row += params.stretches) {
    let at = row * params.width + d;
    //#if VEC
    //| let difference = y[at.x / 4u] - x_at(params.xOffset + row * params.xRow + d);
    //| e[at.x / 4u] = difference;
    //#else
    let difference = vec4f(y[at.x], y[at.y], y[at.z], y[at.w]) - x_at(params.xOffset + row * params.xRow + d);
    //#for n in 0..4
    if (isInside[n]) { e[at[n]] = difference[n]; }
    //#end
    //#end
    sum += difference;
    squares += difference * difference;
  }
  //#for n in 0..4
  if (isInside[n]) {
    partials[2u * part * params.width + d[n]] = sum[n];
    partials[(2u * part + 1u) * params.width + d[n]] = squares[n];
  }
  //#end
}

@compute @workgroup_size(SG)
fn add_up(@builtin(subgroup_invocation_id) lane: u32) {
  var squares = 0.0;
  for (var i = lane; i < params.stretches * params.width; i += SG) {
    squares += errorParts[(2u * (i / params.width) + 1u) * params.width + i % params.width];
  }
  var sum = 0.0;
  for (var i = lane; i < params.splits * params.features; i += SG) {
    sum += sums[2u * (i / params.features) * params.features + i % params.features];
  }
  let ofSquares = params.scale * subgroupAdd(squares);
  let ofFeatures = params.totalScale * subgroupAdd(sum);
  if (lane < 3u) { losses[lane] = select(0.0, ofSquares, lane != 2u) + select(0.0, ofFeatures, lane != 1u); }
}

fn slope_of_error() -> f32 {
  if (params.hasSlope == 0u) { return 1.0; }
  return params.scale * slope[0];
}

fn total(i: u32) -> Element {
  let slice = (2u * params.width + 1u) * params.features / WIDE;
  var sum = Element();
  for (var split = 0u; split < params.splits; split++) { sum += parts[split * slice + i]; }
  return sum;
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let features = params.features / WIDE;
  let size = params.width * features;
  let all = 2u * size + features;
  let own = total(min(i, all - 1u)); // asked for once: three times would take as often as long to compile
  if (i < size) {
    dEncoder[i] = own;
  } else if (i < 2u * size) {
    dDecoder[i - size] = own;
  } else if (i < all) {
    dEncoderBias[i - 2u * size] = own;
  } else if (i < all + params.width) {
    let d = i - all;
    var sum = 0.0;
    for (var part = 0u; part < params.stretches; part++) { sum += errorParts[part * params.errorStep + d]; }
    sum *= slope_of_error();
    if (params.centered == 1u) {
      var ofCenter = Element();
      for (var feature = 0u; feature < features; feature++) {
        ofCenter = fma(encoder[d * features + feature], total(2u * size + feature), ofCenter);
      }
      //#if VEC
      //| sum -= dot(ofCenter, vec4f(1.0));
      //#else
      sum -= ofCenter;
      //#end
    }
    dDecoderBias[d] = sum;
  }
}
`,
  relu_autoencoder_backward: `// relu_autoencoder_backward — gradients of an autoencoder with ReLU for software adapters: see relu_autoencoder.
//   g, the gradient before the ReLU, = f ≤ 0 ? 0 : s·(e·Wdᵀ) + sumsScale·dsums (+ df), where y's gradient is s·e; it is used at once for
//   partials [splits, D·F + F·D + F] of each stretch of rows: xcᵀ·g, s·fᵀ·e and the sums of g's columns.
// A device binds 8 arrays at most: where df is wanted, s is 1, and there is no slope.
// It has the form of relu_autoencoder_encode, with the gradients as well in private memory, and takes U rows at a time: a store to private memory in a loop
// blends with what was there.
// Dispatch: a workgroup for every SG·NC features × stretch of rows.

enable subgroups;

const SG = 8u; //#param
const NC = 4u; //#param
const KD = 64u; //#param
const U = 2u; //#param
const FEATURE_GRADIENT = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const h = 0u; //#loop
const n = 0u; //#loop
const u = 0u; //#loop

// What the kernels of an autoencoder with ReLU share: see relu_autoencoder.wgsl.
struct Params {
  rows: u32,
  width: u32,    // D
  features: u32, // F
  stretch: u32,  // rows of a workgroup
  stretches: u32,
  splits: u32,
  xOffset: u32,
  xRow: u32,
  centered: u32,
  hasSums: u32,  // 1: dsums is given,
  sumsStep: u32, // with so many elements from one feature's to the next one's
  sumsOffset: u32,
  sumsScale: f32,
  hasSlope: u32, // 1: s = scale·slope[0], 0: s = 1
  scale: f32,
  totalScale: f32,
  errorStep: u32, // elements from one stretch's sums of e to the next one's
}

const VEC = false; //#param

@group(0) @binding(0) var<uniform> params: Params;
//#if VEC
//| @group(0) @binding(1) var<storage, read> x: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read> x: array<f32>;
//#end

// Elements at four neighbouring places, or with VEC at those that begin with the first.
fn x_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return x[place.x / 4u];
  //#else
  return vec4f(x[place.x], x[place.y], x[place.z], x[place.w]);
  //#end
}

fn four_from(start: u32) -> vec4u { return vec4u(start) + vec4u(0u, 1u, 2u, 3u); }

// Of a lane's features the n-th, from its first; and of its columns the n-th.
fn feature_of(n: u32) -> u32 { return n / 4u * 4u * SG + n % 4u; }
fn column_of(lane: u32, n: u32) -> u32 { return 4u * (n / 4u * SG + lane) + n % 4u; }

@group(0) @binding(2) var<storage, read> decoder: array<f32>;
//#if VEC
//| @group(0) @binding(3) var<storage, read> error: array<vec4f>;
//| @group(0) @binding(6) var<storage, read> kept: array<vec4f>;
//| @group(0) @binding(8) var<storage, read> df: array<vec4f>;
//#else
@group(0) @binding(3) var<storage, read> error: array<f32>;
@group(0) @binding(6) var<storage, read> kept: array<f32>;
@group(0) @binding(8) var<storage, read> df: array<f32>;
//#end
@group(0) @binding(4) var<storage, read> center: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(7) var<storage, read> dsums: array<f32>;
@group(0) @binding(8) var<storage, read> slope: array<f32>;

fn error_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return error[place.x / 4u];
  //#else
  return vec4f(error[place.x], error[place.y], error[place.z], error[place.w]);
  //#end
}

fn kept_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return kept[place.x / 4u];
  //#else
  return vec4f(kept[place.x], kept[place.y], kept[place.z], kept[place.w]);
  //#end
}

fn df_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return df[place.x / 4u];
  //#else
  return vec4f(df[place.x], df[place.y], df[place.z], df[place.w]);
  //#end
}

fn slope_of_error() -> f32 {
  //#if FEATURE_GRADIENT
  //| return 1.0;
  //#else
  if (params.hasSlope == 0u) { return 1.0; }
  return params.scale * slope[0];
  //#end
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let split = group / blocks;
  if (split >= params.splits) { return; }
  let first = SG * NC * (group % blocks) + 4u * lane;
  let firstRow = split * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);
  let s = slope_of_error();

  var given = array<f32, NC>();
  for (var n = 0u; n < min(NC, params.hasSums * params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) { given[n] = dsums[params.sumsOffset + feature * params.sumsStep]; }
  }
  //#for h in 0..NC/4
  let feature__h = four_from(first + feature_of(4u * h));
  let isOurs__h = feature__h < vec4u(params.features);
  let at__h = select(vec4u(), feature__h, isOurs__h);
  let dsum__h = params.sumsScale * vec4f(given[4u * h], given[4u * h + 1u], given[4u * h + 2u], given[4u * h + 3u]);
  var ofBias__h = vec4f();
  //#end
  // Weights that meet the j-th vectors of e and x, and their gradients: their k-th element's, of feature c, at k·NC + c.
  //#for j in 0..KD/SG/4
  var panel__j: array<f32, 4 * SG * NC>;
  var ofEncoder__j: array<f32, 4 * SG * NC>;
  var ofDecoder__j: array<f32, 4 * SG * NC>;
  for (var n = 0u; n < 4 * SG * NC; n++) {
    let k = 4 * SG * j + n / NC;
    let feature = first + feature_of(n % NC);
    if (k < params.width && feature < params.features) { panel__j[n] = decoder[feature * params.width + k]; }
  }
  //#end
  var centers = array<f32, KD / SG>();
  for (var n = 0u; n < min(KD / SG, params.centered * params.width); n++) {
    let column = column_of(lane, n);
    if (column < params.width) { centers[n] = center[column]; }
  }
  // From beyond the edge a lane takes the row's first column, and no notice of it.
  //#for j in 0..KD/SG/4
  let column__j = four_from(column_of(lane, 4u * j));
  let isInside__j = column__j < vec4u(params.width);
  let d__j = select(vec4u(), column__j, isInside__j);
  let center__j = vec4f(centers[4u * j], centers[4u * j + 1u], centers[4u * j + 2u], centers[4u * j + 3u]);
  //#end

  for (var row = firstRow; row < endRow; row += U) {
    // A row beyond the last is the last one again, and counts as zeros. What is loaded is loaded in this order because the compiler's code
    // depends on it: without VEC, row by row takes a seventh longer.
    //#for u in 0..U
    let isRow__u = row + u < endRow;
    let row__u = min(row + u, endRow - 1u);
    //#for j in 0..KD/SG/4
    let isGiven__u__j = isInside__j & vec4<bool>(isRow__u);
    //#end
    //#end
    //#for u in 0..U
    //#for j in 0..KD/SG/4
    let x__u__j = select(vec4f(), x_at(params.xOffset + row__u * params.xRow + d__j) - center__j, isGiven__u__j);
    //#end
    //#end
    //#for u in 0..U
    //#for h in 0..NC/4
    let f__u__h = select(vec4f(), kept_at(row__u * params.features + at__h), isRow__u);
    var g__u__h = vec4f();
    //#end
    //#end
    //#for u in 0..U
    //#for j in 0..KD/SG/4
    let e__u__j = select(vec4f(), error_at(row__u * params.width + d__j), isGiven__u__j);
    //#end
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      //#for u in 0..U
      let element__u = vec4f(subgroupBroadcast(e__u__j[n], q));
      //#end
      //#for h in 0..NC/4
      const at__h = (4u * q + n) * NC + 4u * h;
      let weights__h = vec4f(panel__j[at__h], panel__j[at__h + 1u], panel__j[at__h + 2u], panel__j[at__h + 3u]);
      var decoder__h = vec4f(ofDecoder__j[at__h], ofDecoder__j[at__h + 1u], ofDecoder__j[at__h + 2u], ofDecoder__j[at__h + 3u]);
      //#for u in 0..U
      g__u__h = fma(element__u, weights__h, g__u__h);
      decoder__h = fma(element__u, f__u__h, decoder__h);
      //#end
      ofDecoder__j[at__h] = decoder__h.x;
      ofDecoder__j[at__h + 1u] = decoder__h.y;
      ofDecoder__j[at__h + 2u] = decoder__h.z;
      ofDecoder__j[at__h + 3u] = decoder__h.w;
      //#end
    }
    //#end
    //#end
    //#end
    //#for u in 0..U
    //#for h in 0..NC/4
    g__u__h = s * g__u__h + dsum__h;
    //#if FEATURE_GRADIENT
    //| g__u__h += df_at(row__u * params.features + at__h);
    //#end
    g__u__h = select(g__u__h, vec4f(), f__u__h <= vec4f());
    ofBias__h += g__u__h;
    //#end
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      //#for u in 0..U
      let element__u = vec4f(subgroupBroadcast(x__u__j[n], q));
      //#end
      //#for h in 0..NC/4
      const at__h = (4u * q + n) * NC + 4u * h;
      var encoder__h = vec4f(ofEncoder__j[at__h], ofEncoder__j[at__h + 1u], ofEncoder__j[at__h + 2u], ofEncoder__j[at__h + 3u]);
      //#for u in 0..U
      encoder__h = fma(element__u, g__u__h, encoder__h);
      //#end
      ofEncoder__j[at__h] = encoder__h.x;
      ofEncoder__j[at__h + 1u] = encoder__h.y;
      ofEncoder__j[at__h + 2u] = encoder__h.z;
      ofEncoder__j[at__h + 3u] = encoder__h.w;
      //#end
    }
    //#end
    //#end
    //#end
  }

  // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
  let size = params.width * params.features;
  let slice = split * (2u * size + params.features);
  //#for j in 0..KD/SG/4
  for (var n = 0u; n < NC * min(4 * SG, params.width - min(params.width, 4 * SG * j)); n++) {
    let k = 4 * SG * j + n / NC;
    let feature = first + feature_of(n % NC);
    if (feature < params.features) {
      partials[slice + k * params.features + feature] = ofEncoder__j[n];
      partials[slice + size + feature * params.width + k] = s * ofDecoder__j[n];
    }
  }
  //#end
  var ofBias = array<f32, NC>();
  //#for h in 0..NC/4
  //#for n in 0..4
  ofBias[4u * h + n] = ofBias__h[n];
  //#end
  //#end
  for (var n = 0u; n < min(NC, params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) { partials[slice + 2u * size + feature] = ofBias[n]; }
  }
}
`,
  relu_autoencoder_encode: `// relu_autoencoder_encode — the features of an autoencoder with ReLU for software adapters: see relu_autoencoder.
//   f [B, F] = max((x − center)·We + be, 0); and partials [stretches, 2, F]: sums of f's columns, and how many in them are above 0, of each stretch
//   of rows. center is b_dec, or where x is not centered 0.
// It has gemm_panel's form, and holds for its reasons: one subgroup a workgroup walks down rows, with its SG·NC features' weights in private memory.
// A row is loaded once, and each element broadcast; lane l carries columns, and works on features, 4·l … 4·l + 3 of each 4·SG.
// Preconditions: the subgroup size is SG, NC is a multiple of 4 and KD of 4·SG.
// Dispatch: a workgroup for every SG·NC features × stretch of rows.

enable subgroups;

const SG = 8u; //#param
const NC = 8u; //#param
const KD = 64u; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const h = 0u; //#loop
const n = 0u; //#loop

// What the kernels of an autoencoder with ReLU share: see relu_autoencoder.wgsl.
struct Params {
  rows: u32,
  width: u32,    // D
  features: u32, // F
  stretch: u32,  // rows of a workgroup
  stretches: u32,
  splits: u32,
  xOffset: u32,
  xRow: u32,
  centered: u32,
  hasSums: u32,  // 1: dsums is given,
  sumsStep: u32, // with so many elements from one feature's to the next one's
  sumsOffset: u32,
  sumsScale: f32,
  hasSlope: u32, // 1: s = scale·slope[0], 0: s = 1
  scale: f32,
  totalScale: f32,
  errorStep: u32, // elements from one stretch's sums of e to the next one's
}

const VEC = false; //#param

@group(0) @binding(0) var<uniform> params: Params;
//#if VEC
//| @group(0) @binding(1) var<storage, read> x: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read> x: array<f32>;
//#end

// Elements at four neighbouring places, or with VEC at those that begin with the first.
fn x_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return x[place.x / 4u];
  //#else
  return vec4f(x[place.x], x[place.y], x[place.z], x[place.w]);
  //#end
}

fn four_from(start: u32) -> vec4u { return vec4u(start) + vec4u(0u, 1u, 2u, 3u); }

// Of a lane's features the n-th, from its first; and of its columns the n-th.
fn feature_of(n: u32) -> u32 { return n / 4u * 4u * SG + n % 4u; }
fn column_of(lane: u32, n: u32) -> u32 { return 4u * (n / 4u * SG + lane) + n % 4u; }

@group(0) @binding(2) var<storage, read> encoder: array<f32>;
@group(0) @binding(3) var<storage, read> encoderBias: array<f32>;
@group(0) @binding(4) var<storage, read> center: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
//#if VEC
//| @group(0) @binding(6) var<storage, read_write> f: array<vec4f>;
//#else
@group(0) @binding(6) var<storage, read_write> f: array<f32>;
//#end

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let part = group / blocks;
  if (part >= params.stretches) { return; }
  let first = SG * NC * (group % blocks) + 4u * lane;
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);

  var biases = array<f32, NC>();
  for (var n = 0u; n < min(NC, params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) { biases[n] = encoderBias[feature]; }
  }
  //#for h in 0..NC/4
  let feature__h = four_from(first + feature_of(4u * h));
  let isOurs__h = feature__h < vec4u(params.features);
  let at__h = select(vec4u(), feature__h, isOurs__h);
  let bias__h = vec4f(biases[4u * h], biases[4u * h + 1u], biases[4u * h + 2u], biases[4u * h + 3u]);
  var value__h = vec4f();
  var sum__h = vec4f();
  var count__h = vec4f();
  //#end
  // Weights that meet the j-th vectors of x: its k-th element's, of feature c, at k·NC + c.
  //#for j in 0..KD/SG/4
  var panel__j: array<f32, 4 * SG * NC>;
  for (var n = 0u; n < 4 * SG * NC; n++) {
    let k = 4 * SG * j + n / NC;
    let feature = first + feature_of(n % NC);
    if (k < params.width && feature < params.features) { panel__j[n] = encoder[k * params.features + feature]; }
  }
  //#end
  var centers = array<f32, KD / SG>();
  for (var n = 0u; n < min(KD / SG, params.centered * params.width); n++) {
    let column = column_of(lane, n);
    if (column < params.width) { centers[n] = center[column]; }
  }
  // From beyond the edge a lane takes the row's first column, and no notice of it.
  //#for j in 0..KD/SG/4
  let column__j = four_from(column_of(lane, 4u * j));
  let isInside__j = column__j < vec4u(params.width);
  let d__j = select(vec4u(), column__j, isInside__j);
  let center__j = vec4f(centers[4u * j], centers[4u * j + 1u], centers[4u * j + 2u], centers[4u * j + 3u]);
  //#end

  // A row's features are stored at the top of the next one's turn: as loop-carried variables they stay in registers.
  for (var row = firstRow; row <= endRow; row++) {
    if (row > firstRow) {
      let row0 = (row - 1u) * params.features;
      //#for h in 0..NC/4
      let kept__h = select(value__h, vec4f(), value__h <= vec4f());
      sum__h += kept__h;
      count__h += select(vec4f(), vec4f(1.0), value__h > vec4f());
      //#if VEC
      //| if (isOurs__h.x) { f[(row0 + at__h.x) / 4u] = kept__h; }
      //#else
      //#for n in 0..4
      if (isOurs__h[n]) { f[row0 + at__h[n]] = kept__h[n]; }
      //#end
      //#end
      //#end
    }
    let start = params.xOffset + min(row, endRow - 1u) * params.xRow;
    //#for j in 0..KD/SG/4
    let x__j = select(vec4f(), x_at(start + d__j) - center__j, isInside__j);
    //#end
    //#for h in 0..NC/4
    value__h = bias__h;
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      let element = vec4f(subgroupBroadcast(x__j[n], q));
      //#for h in 0..NC/4
      const at__h = (4u * q + n) * NC + 4u * h;
      value__h = fma(element, vec4f(panel__j[at__h], panel__j[at__h + 1u], panel__j[at__h + 2u], panel__j[at__h + 3u]), value__h);
      //#end
    }
    //#end
    //#end
    //#end
  }
  var columnSums = array<f32, NC>();
  var columnCounts = array<f32, NC>();
  //#for h in 0..NC/4
  //#for n in 0..4
  columnSums[4u * h + n] = sum__h[n];
  columnCounts[4u * h + n] = count__h[n];
  //#end
  //#end
  for (var n = 0u; n < min(NC, params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) {
      partials[2u * part * params.features + feature] = columnSums[n];
      partials[(2u * part + 1u) * params.features + feature] = columnCounts[n];
    }
  }
}
`,
  relu_sums: `// relu_sums — y = max(x, 0) with each column's sum and count of what is above 0, in one pass; and its gradient.
//   forward:  y of x [rows, 4·columns], and partials [stretches, 2, 4·columns]: sums, then counts, of every stretch of rows.
//   gradient: dx = y ≤ 0 ? 0 : dy + dsums[column].
// NaN stays NaN and is not counted. Everything dense; a column here is four neighbours. Counts are f32: exact up to 2^24 rows a stretch.
// Dispatch: forward: ceil(columns·stretches / 64) workgroups; gradient: ceil(rows·columns / 64).

struct Params {
  rows: u32,
  columns: u32,
  stretches: u32,
  hasDy: u32,
  hasSums: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> kept: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> dsums: array<vec4f>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.columns * params.stretches) { return; }
  let column = at % params.columns;
  let stretch = at / params.columns;
  var sums = vec4f();
  var counts = vec4f();
  for (var row = stretch; row < params.rows; row += params.stretches) {
    let i = row * params.columns + column;
    let v = x[i];
    let value = select(v, vec4f(), v <= vec4f());
    y[i] = value;
    sums += value;
    counts += select(vec4f(), vec4f(1.0), v > vec4f());
  }
  partials[2u * stretch * params.columns + column] = sums;
  partials[(2u * stretch + 1u) * params.columns + column] = counts;
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.rows * params.columns) { return; }
  var slope = vec4f();
  if (params.hasDy == 1u) { slope += dy[i]; }
  if (params.hasSums == 1u) { slope += dsums[i % params.columns]; }
  dx[i] = select(slope, vec4f(), kept[i] <= vec4f());
}
`,
  row_program: `// row_program — a list of steps on vectors, for each of a few rows, in one launch: what a token costs a small model that decodes with kept
// keys and values. Launches cost more than such steps do, a barrier next to nothing.
//
// A workgroup has a row, and keeps its vectors in workgroup memory. \`steps\` says what it does, three vec4u a step:
//   (kind, to, size, isResult), then two of its kind's own. It writes \`size\` elements at \`to\`, or, isResult, to the row's result.
//   PICK    (id, count, table, other), ()       row number ids[row, id] of a table [count, size], + the vector \`other\`; NaN beyond the table
//   NORM    (from, weight, bias, eps), ()       (x − mean) / √(variance + eps) · weight + bias
//   LINEAR  (from, length, weight, bias), (gelu, other)     gelu?(weight · x + bias) + the vector \`other\`
//   ATTEND  (from, heads, headSize, together), (cache, capacity, grows)     Σ_j softmax_j(q · k_j / √D) v_j over the rows of a cache
// Vectors are places in workgroup memory, NONE where there is none; tables, weights and biases are places in \`constants\`, in vec4.
//   constants: vectors, and a table's rows, take whole vec4. A weight [size, length] lies as [ceil(length / 4), size] vec4 along the length,
//   zeros beyond it, so that neighbouring lanes read neighbours.
//   keys, values: a cache is [rows, heads, capacity, D4] vec4 from vec4 \`cache\`, its elements beyond D 0. With \`grows\` it has params.grown
//   rows, and x holds query, key and value of all heads: key and value become the next row, which is attended to as well. Else it has
//   params.kept rows, and x holds the queries.
//
// ATTEND as in attention_cached: \`together\` heads, a power of 2, share the lanes; each lane has an online softmax (Milakov and Gimelshein,
// arXiv 1805.02867), put together in a tree.
// Dispatch: rows workgroups.

const LANES = 8u; //#param
const COLUMNS = 4u; //#param
const D4 = 4u; //#param
const FLOATS = 1024u; //#param
const c = 0u; //#loop

// What a row program's steps are written in: see row_program.wgsl.
struct Params {
  steps: u32,
  ids: u32, // a row
  resultSize: u32,
  grown: u32,
  kept: u32,
  missing: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> steps: array<vec4u>;
@group(0) @binding(2) var<storage, read> constants: array<vec4f>;
@group(0) @binding(3) var<storage, read> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> result: array<f32>;

const PICK = 0u;
const NORM = 1u;
const LINEAR = 2u;
const NONE = 0xffffffffu;
const LOG2_E = 1.4426950408889634;

/// An element of a vector in \`constants\`, or what stands for it where there is none.
fn constant_at(start: u32, i: u32, otherwise: f32) -> f32 {
  if (start == NONE) { return otherwise; }
  return constants[start + i / 4u][i % 4u];
}

/// 2^(score − top), and NaN for a score that is NaN: exp2 makes a number of it on some drivers.
fn weight_of(score: f32, top: f32) -> f32 {
  return select(exp2(score - top), score, (bitcast<u32>(score) & 0x7fffffffu) > 0x7f800000u);
}
// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

var<workgroup> vectors: array<f32, FLOATS>;
/// Of ATTEND: each lane's highest score, in units of log 2; then the highest of its head.
var<workgroup> tops: array<f32, LANES>;
/// Of ATTEND: each lane's chunks of weighted values, and behind them in x the sum of the weights.
var<workgroup> sums: array<array<vec4f, D4 + 1u>, LANES>;

/// What a step writes.
fn put(step: vec4u, row: u32, i: u32, value: f32) {
  if (step.w != 0u) { result[row * params.resultSize + i] = value; } else { vectors[step.y + i] = value; }
}

/// Four neighbours of a vector from its element 4 chunk; 0 beyond its size.
fn four_at(start: u32, chunk: u32, size: u32) -> vec4f {
  let i = start + 4u * chunk;
  let four = vec4f(vectors[i], vectors[i + 1u], vectors[i + 2u], vectors[i + 3u]);
  return select(vec4f(), four, 4u * chunk + vec4u(0u, 1u, 2u, 3u) < vec4u(size));
}

fn other_at(start: u32, i: u32) -> f32 {
  if (start == NONE) { return 0.0; }
  return vectors[start + i];
}

fn added(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn pick(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let id = ids[row * params.ids + about.x];
  let start = about.z + min(id, about.y - 1u) * ((step.z + 3u) / 4u);
  for (var i = lane; i < step.z; i += LANES) {
    put(step, row, i, select(bitcast<f32>(params.missing), constant_at(start, i, 0.0) + other_at(about.w, i), id < about.y));
  }
}

/// Every lane adds up the whole vector: for one as short that costs less than to put parts together.
fn normalize(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let chunks = (step.z + 3u) / 4u;
  var sum = vec4f();
  for (var k = 0u; k < chunks; k++) { sum += four_at(about.x, k, step.z); }
  let center = added(sum) / f32(step.z);
  var squares = vec4f();
  for (var k = 0u; k < chunks; k++) {
    let i = about.x + 4u * k;
    let d = vec4f(vectors[i], vectors[i + 1u], vectors[i + 2u], vectors[i + 3u]) - center;
    squares += select(vec4f(), d * d, 4u * k + vec4u(0u, 1u, 2u, 3u) < vec4u(step.z));
  }
  let scale = 1.0 / sqrt(added(squares) / f32(step.z) + bitcast<f32>(about.w));
  for (var i = lane; i < step.z; i += LANES) {
    put(step, row, i, (vectors[about.x + i] - center) * scale * constant_at(about.y, i, 1.0) + constant_at(about.z, i, 0.0));
  }
}

/// A lane has COLUMNS elements of the result at a time.
fn linear(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let size = step.z;
  let chunks = (about.y + 3u) / 4u;
  var finished: array<f32, COLUMNS>;
  for (var first = 0u; first < size; first += COLUMNS * LANES) {
    //#for c in 0..COLUMNS
    let place__c = about.z + min(first + c * LANES + lane, size - 1u);
    var sum__c = 0.0;
    //#end
    for (var k = 0u; k < chunks; k++) {
      let x = four_at(about.x, k, about.y);
      //#for c in 0..COLUMNS
      sum__c += dot(x, constants[place__c + k * size]);
      //#end
    }
    //#for c in 0..COLUMNS
    finished[c] = sum__c;
    //#end
    let columns = min(COLUMNS, (size - first + LANES - 1u) / LANES); // no constant: a loop that is spelled out takes long to compile
    for (var i = 0u; i < columns; i++) {
      let column = first + i * LANES + lane;
      if (column < size) {
        var value = finished[i] + constant_at(about.w, column, 0.0);
        if (more.x != 0u) { value = gelu(value); }
        put(step, row, column, value + other_at(more.y, column));
      }
    }
  }
}

fn attend(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let heads = about.y;
  let headSize = about.z;
  let chunks = (headSize + 3u) / 4u; // D4; no constant, so that not all loops are spelled out
  let grows = more.z != 0u;
  var length = params.kept;
  if (grows) {
    length = params.grown + 1u;
    for (var i = lane; i < heads * chunks; i += LANES) {
      let head = i / chunks;
      let place = more.x + ((row * heads + head) * more.y + params.grown) * D4 + i % chunks;
      let key = about.x + (heads + head) * headSize;
      keys[place] = four_at(key, i % chunks, headSize);
      values[place] = four_at(key + heads * headSize, i % chunks, headSize);
    }
  }
  storageBarrier();

  let lanes = LANES / about.w; // a head's
  let part = lane % lanes;
  for (var first = 0u; first < heads; first += about.w) {
    let asked = first + lane / lanes;
    let isThere = asked < heads;
    let head = min(asked, heads - 1u);
    let rows = more.x + (row * heads + head) * more.y * D4;
    var q: array<vec4f, D4>;
    var sum = array<vec4f, D4>(); // spelled out: some drivers clear it once, not in every turn
    for (var i = 0u; i < D4; i++) { q[i] = four_at(about.x + head * headSize, i, headSize) * (LOG2_E / sqrt(f32(headSize))); }
    var top = -1e30;
    var total = 0.0;
    for (var j = part; j < select(0u, length, isThere); j += lanes) {
      let place = rows + j * D4;
      var score = 0.0;
      for (var i = 0u; i < D4; i++) { score += dot(q[i], keys[place + i]); }
      let higher = max(top, score);
      let shrink = exp2(top - higher);
      let p = weight_of(score, higher);
      top = higher;
      total = total * shrink + p;
      for (var i = 0u; i < D4; i++) { sum[i] = sum[i] * shrink + p * values[place + i]; }
    }

    tops[lane] = top;
    workgroupBarrier();
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      if (part < half) { tops[lane] = max(tops[lane], tops[lane + half]); }
      workgroupBarrier();
    }
    let shrink = exp2(top - tops[lane - part]);
    for (var i = 0u; i < D4; i++) { sums[lane][i] = sum[i] * shrink; }
    sums[lane][D4] = vec4f(total * shrink);
    workgroupBarrier();
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      if (part < half) {
        for (var i = 0u; i <= chunks; i++) { sums[lane][i] += sums[lane + half][i]; }
      }
      workgroupBarrier();
    }
    if (isThere) {
      // Without keys there is nothing to weigh: 0, as the empty sum is.
      let weight = select(1.0 / sums[lane - part][D4].x, 0.0, length == 0u);
      for (var d = part; d < headSize; d += lanes) { put(step, row, head * headSize + d, sums[lane - part][d / 4u][d % 4u] * weight); }
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(LANES)
fn run(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var i = 0u; i < params.steps; i++) {
    let step = steps[3u * i];
    let about = steps[3u * i + 1u];
    let more = steps[3u * i + 2u];
    switch step.x {
      case PICK: { pick(step, about, group.x, lane); }
      case NORM: { normalize(step, about, group.x, lane); }
      case LINEAR: { linear(step, about, more, group.x, lane); }
      default: { attend(step, about, more, group.x, lane); }
    }
    workgroupBarrier();
  }
}
`,
  row_program_panel: `// row_program_panel — row_program where a workgroup's lanes are one small subgroup (software: lavapipe 8 lanes, SwiftShader 4). Steps, constants
// and caches as in row_program.wgsl.
//
// Vectors lie in the lanes' private memory, element i with lane i % SG, and pass from lane to lane by shuffles: there is no barrier. Lavapipe
// makes a coroutine of a kernel that has one, in which nothing stays in registers and a load costs twice as much.
// A vector starts at a multiple of SG; its last SG are filled up with zeros.
//
// ATTEND: each lane walks every SG-th row of a cache with an online softmax of its own (Milakov and Gimelshein, arXiv 1805.02867); the query's own
// key and value are lane 0's first, and put into the cache, where nobody reads them in this dispatch.
// Dispatch: rows workgroups.

enable subgroups;
diagnostic(off, subgroup_uniformity);

const SG = 8u; //#param
const COLUMNS = 4u; //#param
const D4 = 4u; //#param
const FLOATS = 1024u; //#param
const c = 0u; //#loop

// What a row program's steps are written in: see row_program.wgsl.
struct Params {
  steps: u32,
  ids: u32, // a row
  resultSize: u32,
  grown: u32,
  kept: u32,
  missing: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> steps: array<vec4u>;
@group(0) @binding(2) var<storage, read> constants: array<vec4f>;
@group(0) @binding(3) var<storage, read> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> result: array<f32>;

const PICK = 0u;
const NORM = 1u;
const LINEAR = 2u;
const NONE = 0xffffffffu;
const LOG2_E = 1.4426950408889634;

/// An element of a vector in \`constants\`, or what stands for it where there is none.
fn constant_at(start: u32, i: u32, otherwise: f32) -> f32 {
  if (start == NONE) { return otherwise; }
  return constants[start + i / 4u][i % 4u];
}

/// 2^(score − top), and NaN for a score that is NaN: exp2 makes a number of it on some drivers.
fn weight_of(score: f32, top: f32) -> f32 {
  return select(exp2(score - top), score, (bitcast<u32>(score) & 0x7fffffffu) > 0x7f800000u);
}
// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

/// Element i of all vectors is number i / SG of lane i % SG.
var<private> vectors: array<f32, FLOATS / SG>;

/// What a step writes: element i, of this lane. Beyond its size it is 0.
fn put(step: vec4u, row: u32, i: u32, value: f32) {
  if (step.w == 0u) {
    vectors[(step.y + i) / SG] = select(0.0, value, i < step.z);
  } else if (i < step.z) {
    result[row * params.resultSize + i] = value;
  }
}

/// An element of a vector, for all lanes.
fn element(i: u32) -> f32 {
  return subgroupShuffle(vectors[i / SG], i % SG);
}

/// Four neighbours of a vector from its element 4 chunk, for all lanes.
fn four_at(start: u32, chunk: u32) -> vec4f {
  let mine = vectors[start / SG + 4u * chunk / SG];
  let first = 4u * chunk % SG;
  return vec4f(
    subgroupShuffle(mine, first),
    subgroupShuffle(mine, first + 1u),
    subgroupShuffle(mine, first + 2u),
    subgroupShuffle(mine, first + 3u),
  );
}

/// Four neighbours from an element anywhere, the first few of which count.
fn few_at(i: u32, count: u32) -> vec4f {
  let four = vec4f(element(i), element(i + 1u), element(i + 2u), element(i + 3u));
  return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

/// This lane's element i of another vector, 0 without one.
fn other_at(start: u32, i: u32) -> f32 {
  if (start == NONE) { return 0.0; }
  return vectors[(start + i) / SG];
}

fn pick(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let id = ids[row * params.ids + about.x];
  let start = about.z + min(id, about.y - 1u) * ((step.z + 3u) / 4u);
  for (var i = lane; i < step.z + lane; i += SG) {
    put(step, row, i, select(bitcast<f32>(params.missing), constant_at(start, i, 0.0) + other_at(about.w, i), id < about.y));
  }
}

fn normalize(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let slots = (step.z + SG - 1u) / SG;
  let first = about.x / SG;
  var sum = 0.0;
  for (var k = 0u; k < slots; k++) { sum += vectors[first + k]; }
  let center = subgroupAdd(sum) / f32(step.z);
  var squares = 0.0;
  for (var k = 0u; k < slots; k++) {
    let d = vectors[first + k] - center;
    squares += select(0.0, d * d, k * SG + lane < step.z);
  }
  let scale = 1.0 / sqrt(subgroupAdd(squares) / f32(step.z) + bitcast<f32>(about.w));
  for (var k = 0u; k < slots; k++) {
    let i = k * SG + lane;
    put(step, row, i, (vectors[first + k] - center) * scale * constant_at(about.y, i, 1.0) + constant_at(about.z, i, 0.0));
  }
}

/// A lane has COLUMNS elements of the result at a time.
fn linear(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let size = step.z;
  let chunks = (about.y + 3u) / 4u;
  var finished: array<f32, COLUMNS>;
  for (var first = 0u; first < size; first += COLUMNS * SG) {
    //#for c in 0..COLUMNS
    let place__c = about.z + min(first + c * SG + lane, size - 1u);
    var sum__c = 0.0;
    //#end
    for (var k = 0u; k < chunks; k++) {
      let x = four_at(about.x, k);
      //#for c in 0..COLUMNS
      sum__c += dot(x, constants[place__c + k * size]);
      //#end
    }
    //#for c in 0..COLUMNS
    finished[c] = sum__c;
    //#end
    let columns = min(COLUMNS, (size - first + SG - 1u) / SG); // no constant: a loop that is spelled out takes long to compile
    for (var i = 0u; i < columns; i++) {
      let column = first + i * SG + lane;
      var value = finished[i] + constant_at(about.w, min(column, size - 1u), 0.0);
      if (more.x != 0u) { value = gelu(value); }
      put(step, row, column, value + other_at(more.y, column));
    }
  }
}

fn attend(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let heads = about.y;
  let headSize = about.z;
  let grows = more.z != 0u;
  let length = select(params.kept, params.grown, grows);
  if (step.w == 0u) { vectors[(step.y + step.z - 1u) / SG] = 0.0; } // what lies beyond the size
  for (var head = 0u; head < heads; head++) {
    let rows = more.x + (row * heads + head) * more.y * D4;
    var q: array<vec4f, D4>;
    var sum = array<vec4f, D4>();
    var top = -1e30;
    var total = 0.0;
    for (var i = 0u; i < D4; i++) {
      q[i] = few_at(about.x + head * headSize + 4u * i, headSize - min(headSize, 4u * i)) * (LOG2_E / sqrt(f32(headSize)));
    }
    if (grows) {
      let own = about.x + (heads + head) * headSize;
      let place = rows + params.grown * D4;
      var score = 0.0;
      for (var i = 0u; i < D4; i++) {
        let count = headSize - min(headSize, 4u * i);
        let key = few_at(own + 4u * i, count);
        let value = few_at(own + heads * headSize + 4u * i, count);
        score += dot(q[i], key);
        if (lane == 0u) {
          keys[place + i] = key;
          values[place + i] = value;
          sum[i] = value;
        }
      }
      if (lane == 0u) {
        top = max(top, score);
        total = weight_of(score, top);
        for (var i = 0u; i < D4; i++) { sum[i] *= total; }
      }
    }
    for (var j = lane; j < length; j += SG) {
      let place = rows + j * D4;
      var score = 0.0;
      for (var i = 0u; i < D4; i++) { score += dot(q[i], keys[place + i]); }
      let higher = max(top, score);
      let shrink = exp2(top - higher);
      let p = weight_of(score, higher);
      top = higher;
      total = total * shrink + p;
      for (var i = 0u; i < D4; i++) { sum[i] = sum[i] * shrink + p * values[place + i]; }
    }
    let shrink = exp2(top - subgroupMax(top));
    total = subgroupAdd(total * shrink);
    // Without keys there is nothing to weigh: 0, as the empty sum is.
    let weight = select(1.0 / total, 0.0, length == 0u && !grows);
    for (var i = 0u; i < D4; i++) { sum[i] = subgroupAdd(sum[i] * shrink) * weight; }
    for (var d = 0u; d < headSize; d++) {
      let e = head * headSize + d;
      if (e % SG == lane) { put(step, row, e, sum[d / 4u][d % 4u]); }
    }
  }
}

@compute @workgroup_size(SG)
fn run(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  for (var i = 0u; i < params.steps; i++) {
    let step = steps[3u * i];
    let about = steps[3u * i + 1u];
    let more = steps[3u * i + 2u];
    switch step.x {
      case PICK: { pick(step, about, group.x, lane); }
      case NORM: { normalize(step, about, group.x, lane); }
      case LINEAR: { linear(step, about, more, group.x, lane); }
      default: { attend(step, about, more, group.x, lane); }
    }
  }
}
`,
  segments: `// segments — sums of rows grouped by an index, in a fixed order and without atomics.
//   source [outer, n, inner], index [n] → out [outer, vocab, inner]:  out[o, v, i] = Σ source[o, j, i] over j with index[j] = v.
// \`order\` lists the n places sorted (stably) by index and starts[v] … starts[v + 1] is v's segment of it; indices beyond vocab stand behind
// all segments and are left out. The sorted places are cut into tiles of \`tile\`. A tile's segments that lie inside of it are summed and
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

// Where a column of the first of \`rows\` rows lies.
fn column_place(rows: u32, column: u32) -> u32 {
  return (column / params.columns) * rows * params.columns + column % params.columns;
}

// Column \`column\` of the row at place \`place\` of the sorted order.
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
`,
  softmax: `// softmax — softmax and log-softmax along one axis of a strided tensor, and their gradients.
//   forward:  y = exp(x − max) / Σ exp(x − max), or LOG: y = x − max − log Σ exp(x − max)
//   backward: dx = y · (dy − Σ dy · y), or LOG: dx = dy − exp(y) · Σ dy
// A row is \`length\` elements along the axis. Rows are counted over \`shape\` (the other axes, collapsed) with strides in the input (x or dy) and
// in the dense result (y, dx); elements of a row lie \`inputStep\` and \`step\` apart.
// Forms:
//   0  one invocation a row
//   1  LANES = a whole subgroup a row; subgroups lie in order in a workgroup
//   2  LANES of a workgroup a row, tree in workgroup memory
// Dispatch: rows · LANES invocations, folded into x and y.

//#if FORM == 1
enable subgroups;
diagnostic(off, subgroup_uniformity);
//#end

const FORM = 2u; //#param
const LANES = 16u; //#param
const WORKGROUP = 64u; //#param
const LOG = false; //#param

const LOWEST = -3.4028234e38;

struct Params {
  rows: u32,
  length: u32,
  rank: u32,
  inputOffset: u32,
  inputStep: u32,
  step: u32,
  shape: array<vec4u, 2>,
  inputStrides: array<vec4u, 2>,
  strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;

@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> saved_y: array<f32>;

var<workgroup> slots: array<f32, WORKGROUP>;

/** Sum over the lanes of a row, the same in all of them. */
fn row_sum(own: f32, local: u32) -> f32 {
  var total = own;
  //#if FORM == 1
  for (var step = LANES / 2u; step > 0u; step /= 2u) { total += subgroupShuffleXor(total, step); }
  //#end
  //#if FORM == 2
  workgroupBarrier();
  slots[local] = total;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (local % LANES < step) { slots[local] += slots[local + step]; }
    workgroupBarrier();
  }
  total = slots[local - local % LANES];
  //#end
  return total;
}

/** Greatest over the lanes of a row, the same in all of them. */
fn row_max(own: f32, local: u32) -> f32 {
  var greatest = own;
  //#if FORM == 1
  for (var step = LANES / 2u; step > 0u; step /= 2u) { greatest = max(greatest, subgroupShuffleXor(greatest, step)); }
  //#end
  //#if FORM == 2
  workgroupBarrier();
  slots[local] = greatest;
  workgroupBarrier();
  for (var step = LANES / 2u; step > 0u; step /= 2u) {
    if (local % LANES < step) { slots[local] = max(slots[local], slots[local + step]); }
    workgroupBarrier();
  }
  greatest = slots[local - local % LANES];
  //#end
  return greatest;
}

/** Where a row begins, in the input and in the result. */
fn row_start(row: u32) -> vec2u {
  var rest = row;
  var start = vec2u(params.inputOffset, 0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    start += (rest % n) * vec2u(params.inputStrides[a / 4u][a % 4u], params.strides[a / 4u][a % 4u]);
    rest /= n;
  }
  return start + rest * vec2u(params.inputStrides[0][0], params.strides[0][0]);
}

/** Four places of a row that one lane takes at once; its next four lie 4 · LANES further on. */
fn places(c: u32) -> vec4u {
  return c + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
}

/** Which of them are there. Those that are not are read as the row's last and dropped: cheaper than a branch. */
fn inside(at: vec4u) -> vec4<bool> {
  return at < vec4u(params.length);
}

/** exp that keeps NaN: one driver makes infinity of it. */
fn exponential(v: vec4f) -> vec4f {
  return select(exp(v), v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

/** The row's sum of exponentials, or NaN where the row has NaN or nothing but −∞: drivers differ on 0 / 0 and on the logarithm of both. */
fn sound(total: f32) -> f32 {
  var nan = 0x7fc00000u; // a variable, for a constant NaN does not compile
  return select(total, bitcast<f32>(nan), total == 0.0);
}

fn added(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn not_a_number() -> f32 {
  var bits = 0x7fc00000u; // a constant NaN would not compile
  return bitcast<f32>(bits);
}

/** True for NaN; comparing with itself does not tell on some drivers. */
fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

/** exp of four; on some drivers the built-in hides NaN. */
fn exp4(v: vec4f) -> vec4f {
  return select(exp(v), v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

/** log of a sum of exponentials: NaN for NaN, which some drivers hide, and for 0, which is what a row of −∞ adds up to. */
fn log_of_sum(sum: f32) -> f32 {
  return select(log(sum), not_a_number(), is_nan(sum) || sum == 0.0);
}

fn x_at(start: u32, at: vec4u) -> vec4f {
  let c = start + min(at, vec4u(params.length - 1u)) * params.inputStep;
  return vec4f(x[c.x], x[c.y], x[c.z], x[c.w]);
}

fn dy_at(start: u32, at: vec4u) -> vec4f {
  let c = start + min(at, vec4u(params.length - 1u)) * params.inputStep;
  return vec4f(dy[c.x], dy[c.y], dy[c.z], dy[c.w]);
}

fn y_at(start: u32, at: vec4u) -> vec4f {
  let c = start + min(at, vec4u(params.length - 1u)) * params.step;
  return vec4f(saved_y[c.x], saved_y[c.y], saved_y[c.z], saved_y[c.w]);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let wanted = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  let start = row_start(min(wanted, params.rows - 1u)); // invocations beyond the end repeat the last row and write nothing
  let lane = local % LANES;
  let n = params.length;
  var greatest = vec4f(LOWEST);
  for (var c = lane; c < n; c += 4u * LANES) { greatest = max(greatest, x_at(start.x, places(c))); }
  let shift = row_max(max(max(greatest.x, greatest.y), max(greatest.z, greatest.w)), local);
  var sum = vec4f();
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    sum += select(vec4f(), exponential(x_at(start.x, at) - shift), inside(at));
  }
  let total = sound(row_sum(added(sum), local));
  if (wanted >= params.rows) { return; }
  let log_total = select(log(total), total, (bitcast<u32>(total) & 0x7fffffffu) > 0x7f800000u);
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let shifted = x_at(start.x, at) - shift;
    let result = select(exp4(shifted) / total, shifted - log_total, LOG);
    let to = start.y + at * params.step;
    y[to.x] = result.x;
    if (at.y < n) { y[to.y] = result.y; }
    if (at.z < n) { y[to.z] = result.z; }
    if (at.w < n) { y[to.w] = result.w; }
  }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let wanted = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  let start = row_start(min(wanted, params.rows - 1u));
  let lane = local % LANES;
  let n = params.length;
  var sum = vec4f();
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let slope = dy_at(start.x, at);
    sum += select(vec4f(), select(slope * y_at(start.y, at), slope, LOG), inside(at));
  }
  let total = row_sum(added(sum), local);
  if (wanted >= params.rows) { return; }
  for (var c = lane; c < n; c += 4u * LANES) {
    let at = places(c);
    let slope = dy_at(start.x, at);
    let result = y_at(start.y, at);
    let g = select(result * (slope - total), slope - exp4(result) * total, LOG);
    let to = start.y + at * params.step;
    dx[to.x] = g.x;
    if (at.y < n) { dx[to.y] = g.y; }
    if (at.z < n) { dx[to.z] = g.z; }
    if (at.w < n) { dx[to.w] = g.w; }
  }
}
`,
  sort: `// sort — rows sorted, or their first k places found, each by one workgroup.
// Keys are compared as u32 (see \`sortable\`), equal keys by place: so there are no ties and the network below sorts stably.
//   short_rows: input [rows, n] → values, places [rows, n] in order; n ≤ 2048. A workgroup sorts as many rows as fit.
//               Dispatch: ceil(rows · width / 2048), folded; width is n rounded up to a power of two.
//   smallest:   input [rows, n] → values, places [rows · pieces, k], the k least keys of each piece of a row, in order; k ≤ width ≤ 1024.
//               A row is cut into \`pieces\` of lengths that differ by at most 1, at least k. Places count within the row; with \`mapped\` they
//               are those that \`map\` [rows, n] has there, so that candidates found in pieces can be sifted again.
//               Dispatch: rows · pieces, folded.
// Elements are 4 bytes of any dtype. values are the elements themselves (−0 and NaNs keep their bits).
// Source: Batcher, Sorting networks and their applications, 1968 (bitonic sort); radix selection as in Alabi et al., Fast k-selection
// algorithms for graphics processing units, 2012.

const LANES = 256u; //#param

struct Params {
  rows: u32,
  n: u32,
  // A power of two: places that the network sorts together.
  width: u32,
  k: u32,
  pieces: u32,
  // 8-bit digits that tell the places of a row apart.
  placeDigits: u32,
  mapped: u32,
  // 1: f32, 2: i32, 3: u32.
  kind: u32,
  // All ones for descending order, else 0.
  flip: u32,
}

const CAPACITY = 2048u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;
@group(0) @binding(4) var<storage, read> map: array<u32>;

var<workgroup> keys: array<u32, CAPACITY>;
var<workgroup> owners: array<u32, CAPACITY>;
var<workgroup> few_keys: array<u32, 1024>;
var<workgroup> few_owners: array<u32, 1024>;
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> blocks: array<u32, 16>;
var<workgroup> chosen: vec3u;
var<workgroup> taken: atomic<u32>;

/** An order-preserving map to u32: −0 equals 0, and every NaN is the greatest. */
fn sortable(bits: u32) -> u32 {
  if (params.kind == 3u) { return bits ^ params.flip; }
  if (params.kind == 2u) { return (bits ^ 0x80000000u) ^ params.flip; }
  let magnitude = bits & 0x7fffffffu;
  var key = select(~bits, bits | 0x80000000u, bits == magnitude);
  key = select(key, 0x80000000u, magnitude == 0u);
  key = select(key, 0xffffffffu, magnitude > 0x7f800000u);
  return key ^ params.flip;
}

/** The lower one of the i-th pair of places that are \`distance\` (a power of two) apart. */
fn pair(i: u32, distance: u32) -> u32 {
  return (i / distance) * distance * 2u + i % distance;
}

@compute @workgroup_size(256)
fn short_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let width = params.width;
  let from_row = (group.x + group.y * groups.x) * (CAPACITY / width);
  for (var i = lane; i < CAPACITY; i += 256u) {
    let row = from_row + i / width;
    let at = i % width;
    // What is beyond the row sorts behind all of it: its key is the greatest and its place too.
    let inside = row < params.rows && at < params.n;
    keys[i] = select(0xffffffffu, sortable(input[min(row, params.rows - 1u) * params.n + min(at, params.n - 1u)]), inside);
    owners[i] = at;
  }
  for (var run = 2u; run <= width; run *= 2u) {
    for (var distance = run / 2u; distance > 0u; distance /= 2u) {
      workgroupBarrier();
      for (var i = lane; i < CAPACITY / 2u; i += 256u) {
        let a = pair(i, distance);
        let b = a + distance;
        let ascending = ((a % width) & run) == 0u;
        let behind = keys[a] > keys[b] || (keys[a] == keys[b] && owners[a] > owners[b]);
        if (behind == ascending) {
          let key = keys[a];
          keys[a] = keys[b];
          keys[b] = key;
          let owner = owners[a];
          owners[a] = owners[b];
          owners[b] = owner;
        }
      }
    }
  }
  workgroupBarrier();
  for (var i = lane; i < CAPACITY; i += 256u) {
    let row = from_row + i / width;
    let at = i % width;
    if (row < params.rows && at < params.n) {
      values[row * params.n + at] = input[row * params.n + owners[i]];
      places[row * params.n + at] = owners[i];
    }
  }
}

@compute @workgroup_size(LANES)
fn smallest(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let w = group.x + group.y * groups.x;
  let live = w < params.rows * params.pieces;
  let row = min(w, params.rows * params.pieces - 1u) / params.pieces;
  let piece = w % params.pieces;
  let share = params.n / params.pieces;
  let rest = params.n % params.pieces;
  let base = row * params.n;
  let begin = piece * share + min(piece, rest);
  let end = begin + share + select(0u, 1u, piece < rest);

  // The k-th least (key, place), digit by digit from the top: four digits of the key, then those of the place. It stops once everything that
  // agrees with the digits so far is wanted, mostly after two or three.
  var prefix = vec2u(0u);
  var wanted = params.k;
  for (var digit = 0u; digit < 4u + params.placeDigits; digit++) {
    let word = select(0u, 1u, digit >= 4u);
    let shift = 8u * (select(3u, 3u + params.placeDigits, word == 1u) - digit);
    for (var i = lane; i < 256u; i += LANES) { atomicStore(&histogram[i], 0u); }
    workgroupBarrier();
    for (var i = begin + lane; i < end; i += LANES) {
      let pair_here = vec2u(sortable(input[base + i]), i);
      // Shifted in two steps: a shift by 32 is undefined.
      let same_top = ((pair_here[word] ^ prefix[word]) >> shift) >> 8u == 0u;
      if (same_top && (word == 0u || pair_here.x == prefix.x)) { atomicAdd(&histogram[(pair_here[word] >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    for (var b = lane; b < 16u; b += LANES) {
      var sum = 0u;
      for (var i = 0u; i < 16u; i++) { sum += atomicLoad(&histogram[b * 16u + i]); }
      blocks[b] = sum;
    }
    workgroupBarrier();
    if (lane == 0u) {
      var left = wanted;
      var b = 0u;
      while (b < 15u && blocks[b] < left) {
        left -= blocks[b];
        b++;
      }
      var i = b * 16u;
      while (i < b * 16u + 15u && atomicLoad(&histogram[i]) < left) {
        left -= atomicLoad(&histogram[i]);
        i++;
      }
      chosen = vec3u(i, left, atomicLoad(&histogram[i]));
    }
    let choice = workgroupUniformLoad(&chosen);
    prefix[word] |= choice.x << shift;
    wanted = choice.y;
    if (choice.z == wanted) {
      prefix[word] |= (1u << shift) - 1u;
      if (word == 0u) { prefix.y = 0xffffffffu; }
      break;
    }
  }

  // Whatever slots they get, the network puts the chosen ones in the only order there is.
  if (lane == 0u) { atomicStore(&taken, 0u); }
  for (var i = lane; i < params.width; i += LANES) {
    few_keys[i] = 0xffffffffu;
    few_owners[i] = 0xffffffffu;
  }
  workgroupBarrier();
  for (var i = begin + lane; i < end; i += LANES) {
    let key = sortable(input[base + i]);
    if (key < prefix.x || (key == prefix.x && i <= prefix.y)) {
      let slot = atomicAdd(&taken, 1u);
      few_keys[slot] = key;
      few_owners[slot] = i;
    }
  }
  for (var run = 2u; run <= params.width; run *= 2u) {
    for (var distance = run / 2u; distance > 0u; distance /= 2u) {
      workgroupBarrier();
      for (var i = lane; i < params.width / 2u; i += LANES) {
        let a = pair(i, distance);
        let b = a + distance;
        let ascending = (a & run) == 0u;
        let behind = few_keys[a] > few_keys[b] || (few_keys[a] == few_keys[b] && few_owners[a] > few_owners[b]);
        if (behind == ascending) {
          let key = few_keys[a];
          few_keys[a] = few_keys[b];
          few_keys[b] = key;
          let owner = few_owners[a];
          few_owners[a] = few_owners[b];
          few_owners[b] = owner;
        }
      }
    }
  }
  workgroupBarrier();
  if (live) {
    for (var i = lane; i < params.k; i += LANES) {
      let place = few_owners[i];
      values[w * params.k + i] = input[base + place];
      var origin = place;
      if (params.mapped != 0u) { origin = map[base + place]; }
      places[w * params.k + i] = origin;
    }
  }
}
`,
  sum_slices: `// sum_slices — adds up what workgroups left of a sum that they shared: out[i] = Σ_s partials[s · slice + i], in the order of s.
//   main:  the places i < first, and from \`second\` on, secondCount of them; what lies between is left alone
//   table: many such sums in one launch, each workgroup its own: 256 places or fewer of \`out\`, whichever a line of \`table\` says
// Both give the same bits. Elements are f32.
// Dispatch: main ceil((first + secondCount) / 64) workgroups; table a workgroup a line; folded into x and y.

struct Params {
  first: u32,
  second: u32,
  secondCount: u32,
  slice: u32,
  splits: u32,
  lines: u32,
}

/// Places \`place\` … \`place + count\` of out are sums of \`splits\` places of partials from \`source\` on, \`slice\` apart.
struct Line {
  source: u32,
  place: u32,
  count: u32,
  slice: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read> lines: array<Line>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.first + params.secondCount) { return; }
  let place = select(i, i - params.first + params.second, i >= params.first);
  var sum = 0.0;
  for (var s = 0u; s < params.splits; s++) { sum += partials[place + s * params.slice]; }
  out[place] = sum;
}

@compute @workgroup_size(64)
fn table(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = group.x + group.y * groups.x;
  if (at >= params.lines) { return; }
  let line = lines[at];
  for (var i = lane; i < line.count; i += 64u) {
    var sum = 0.0;
    for (var s = 0u; s < line.splits; s++) { sum += partials[line.source + i + s * line.slice]; }
    out[line.place + i] = sum;
  }
}
`,
  triangle: `// triangle — keeps one triangle of every matrix and puts zeros elsewhere.
//   mask: out[…, r, c] = x[…, r, c] where side · (c - r - diagonal) <= 0, else 0
// x, out: [..., rows, columns], dense, 4-byte elements of any dtype. side is 1 for the lower triangle and -1 for the upper one.
// Dispatch: ceil(size / 64) workgroups, folded into x and y.

struct Params {
  size: u32,
  rows: u32,
  columns: u32,
  diagonal: i32,
  side: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<u32>;

@compute @workgroup_size(64)
fn mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size) { return; }
  let row = i32(i / params.columns % params.rows);
  let column = i32(i % params.columns);
  out[i] = select(0u, x[i], params.side * (column - row - params.diagonal) <= 0);
}
`,
  unary: `// unary — a function of every element, and its gradient.
//   forward:  y[i]  = f(x[i])
//   gradient: dx[i] = dy[i] · f'   with f' computed from \`saved[i]\`: the input x[i] or the output y[i], whichever serves better
// All arrays are dense, of the same shape, four elements an invocation. What the last vector holds beyond the data is computed too and
// lands in the padding of the output's memory. The function is the template parameter that is true; INTEGER makes the elements integers.
// Dispatch: ceil(vectors / 64) workgroups, folded into x and y.
// Logarithm, sine, cosine, tanh and erf are our own: WGSL promises few digits for them, and drivers differ at 0, infinity and NaN. (One of them has e^NaN = infinity.)

//---- functions
const NEG = false; //#param
const ABS = false; //#param
const SIGN = false; //#param
const SQUARE = false; //#param
const RELU = false; //#param
const CLAMP = false; //#param
const EXP = false; //#param
const LOG = false; //#param
const SQRT = false; //#param
const RSQRT = false; //#param
const RECIPROCAL = false; //#param
const SIN = false; //#param
const COS = false; //#param
const TANH = false; //#param
const SIGMOID = false; //#param
const SILU = false; //#param
const SOFTPLUS = false; //#param
const ERF = false; //#param
const GELU = false; //#param
const GELU_TANH = false; //#param
const FLOOR = false; //#param
const CEIL = false; //#param
const ROUND = false; //#param
const IS_NAN = false; //#param
const LOGICAL_NOT = false; //#param
//---- conversions
const FLOAT_TO_I32 = false; //#param
const FLOAT_TO_U32 = false; //#param
const FLOAT_TO_BOOL = false; //#param
const I32_TO_FLOAT = false; //#param
const U32_TO_FLOAT = false; //#param
const INTEGER_TO_BOOL = false; //#param
//---- elements are i32 (or u32, where a function allows it) instead of f32
const INTEGER = false; //#param

struct Params {
  vectors: u32,
  // Limits of clamp, as bits of the element type.
  low: u32,
  high: u32,
  // 0x80000000 for i32: flips signed order into unsigned order. 0 for u32.
  signBit: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4u>;
@group(0) @binding(2) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> saved: array<vec4f>;

// Bits of floats.
const ONE = 0x3f800000u;
const INFINITY = 0x7f800000u;
const NAN = 0x7fc00000u;

// ln v after musl's logf: v = 2^k (1 + f) with 1 + f in [√½, √2), then ln(1 + f) by a polynomial in (f / (2 + f))².
fn logarithm(v: vec4f) -> vec4f {
  let subnormal = v < vec4f(1.1754943508222875e-38);
  let scaled = select(v, v * 33554432.0, subnormal);
  let shifted = bitcast<vec4u>(scaled) + (ONE - 0x3f3504f3u);
  let k = vec4f(bitcast<vec4i>(shifted >> vec4u(23u)) - 127) - select(vec4f(0.0), vec4f(25.0), subnormal);
  let f = bitcast<vec4f>((shifted & vec4u(0x007fffffu)) + 0x3f3504f3u) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let half = 0.5 * f * f;
  let finite = (s * (half + r) + k * 9.0580006145e-6 - half) + f + k * 0.69313812256;
  // Above the largest finite number (infinity, NaN) the argument itself; 0 gives -infinity, negative numbers NaN.
  var bits = select(bitcast<vec4u>(finite), bitcast<vec4u>(v), bitcast<vec4u>(v) >= vec4u(INFINITY));
  bits = select(bits, vec4u(NAN), v < vec4f(0.0));
  bits = select(bits, vec4u(INFINITY | 0x80000000u), v == vec4f(0.0));
  return bitcast<vec4f>(bits);
}
// After Cephes: x + x³ P(x²) near 0, else 1 - 2 / (e^2|x| + 1). Arguments beyond ±15 would overflow e^2|x| and are 1 anyway.
fn hyperbolic_tangent(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(15.0));
  let z = v * v;
  var near = -5.70498872745e-3 * z + 2.06390887954e-2;
  near = near * z - 5.37397155531e-2;
  near = near * z + 1.33314422036e-1;
  near = near * z - 3.33332819422e-1;
  near = near * z * v + v;
  let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  let out = select(select(far, -far, v < vec4f(0.0)), near, a < vec4f(0.625));
  return select(out, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  y[i] = value(x[i]);
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  dx[i] = slope(dy[i], saved[i]);
}

// f of four elements, bits in and out.
fn value(in: vec4u) -> vec4u {
  let v = bitcast<vec4f>(in);
  let magnitude = in & vec4u(0x7fffffffu);
  var out = v;
  var bits = in;
  //#if NEG
  out = -v;
  bits = ~in + 1u;
  //#end
  //#if ABS
  out = abs(v);
  bits = bitcast<vec4u>(abs(bitcast<vec4i>(in)));
  //#end
  //#if SIGN
  out = select(vec4f(0.0), vec4f(1.0), v > vec4f(0.0)) - select(vec4f(0.0), vec4f(1.0), v < vec4f(0.0));
  bits = bitcast<vec4u>(sign(bitcast<vec4i>(in)));
  //#end
  //#if SQUARE
  out = v * v;
  bits = in * in;
  //#end
  // Written with select: max(NaN, 0) would be 0.
  //#if RELU
  out = select(v, vec4f(0.0), v < vec4f(0.0));
  bits = bitcast<vec4u>(max(bitcast<vec4i>(in), vec4i(0)));
  //#end
  //#if CLAMP
  let low = vec4u(params.low);
  let high = vec4u(params.high);
  out = select(v, bitcast<vec4f>(low), v < bitcast<vec4f>(low));
  out = select(out, bitcast<vec4f>(high), out > bitcast<vec4f>(high));
  let flip = vec4u(params.signBit);
  bits = min(max(in ^ flip, low ^ flip), high ^ flip) ^ flip;
  //#end
  //#if EXP
  out = select(exp(v), v, is_nan(v));
  //#end
  //#if LOG
  out = logarithm(v);
  //#end
  //#if SQRT
  out = sqrt(v);
  //#end
  //#if RSQRT
  out = inverseSqrt(v);
  //#end
  //#if RECIPROCAL
  out = 1.0 / v;
  //#end
  //#if SIN
  out = sine(v, 0u);
  //#end
  //#if COS
  out = sine(v, 1u);
  //#end
  //#if TANH
  out = hyperbolic_tangent(v);
  //#end
  //#if SIGMOID
  out = select(1.0 / (1.0 + exp(-v)), v, is_nan(v));
  //#end
  //#if SILU
  out = v / (1.0 + exp(-v));
  //#end
  // log(1 + e^v) = max(v, 0) + log1p(e^-|v|)
  //#if SOFTPLUS
  out = select(vec4f(0.0), v, v > vec4f(0.0)) + log_of_one_plus(exp(-abs(v)));
  //#end
  //#if ERF
  out = error_function(v);
  //#end
  //#if GELU
  out = v * normal_cdf(v);
  //#end
  // As inside of products, to the same bits.
  //#if GELU_TANH
  out = vec4f(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
  //#end
  //#if FLOOR
  out = floor(v);
  //#end
  //#if CEIL
  out = ceil(v);
  //#end
  //#if ROUND
  out = round(v);
  //#end
  //#if !INTEGER
  bits = bitcast<vec4u>(out);
  //#end
  //#if IS_NAN
  bits = select(vec4u(0u), vec4u(1u), magnitude > vec4u(INFINITY));
  //#end
  //#if LOGICAL_NOT && !INTEGER
  bits = select(vec4u(0u), vec4u(1u), magnitude == vec4u(0u));
  //#end
  //#if LOGICAL_NOT && INTEGER
  bits = select(vec4u(0u), vec4u(1u), in == vec4u(0u));
  //#end
  // Conversions saturate, at the integer ends that f32 cannot hold too; NaN becomes 0 (and true).
  //#if FLOAT_TO_I32
  bits = select(bitcast<vec4u>(vec4i(v)), vec4u(0x7fffffffu), v >= vec4f(2147483648.0));
  bits = select(bits, vec4u(0u), magnitude > vec4u(INFINITY));
  //#end
  //#if FLOAT_TO_U32
  bits = select(vec4u(v), vec4u(0xffffffffu), v >= vec4f(4294967296.0));
  bits = select(bits, vec4u(0u), magnitude > vec4u(INFINITY));
  //#end
  //#if FLOAT_TO_BOOL
  bits = select(vec4u(1u), vec4u(0u), magnitude == vec4u(0u));
  //#end
  //#if I32_TO_FLOAT
  bits = bitcast<vec4u>(vec4f(bitcast<vec4i>(in)));
  //#end
  //#if U32_TO_FLOAT
  bits = bitcast<vec4u>(vec4f(in));
  //#end
  //#if INTEGER_TO_BOOL
  bits = min(in, vec4u(1u));
  //#end
  return bits;
}

// g · f', where s is what the op saved.
fn slope(g: vec4f, s: vec4f) -> vec4f {
  var out = g;
  //#if ABS
  // s = x
  out = select(vec4f(0.0), g, s > vec4f(0.0)) - select(vec4f(0.0), g, s < vec4f(0.0));
  //#end
  //#if SQUARE
  // s = x
  out = 2.0 * g * s;
  //#end
  //#if RELU
  // s = y
  out = select(g, vec4f(0.0), s <= vec4f(0.0));
  //#end
  //#if CLAMP
  // s = x
  let inside = (s >= vec4f(bitcast<f32>(params.low))) & (s <= vec4f(bitcast<f32>(params.high)));
  out = select(vec4f(0.0), g, inside);
  //#end
  //#if SQRT
  // s = y
  out = g / (2.0 * s);
  //#end
  //#if RSQRT
  // s = y
  out = -0.5 * g * (s * s * s);
  //#end
  //#if RECIPROCAL
  // s = y
  out = -g * (s * s);
  //#end
  //#if SIN
  // s = x
  out = g * sine(s, 1u);
  //#end
  //#if COS
  // s = x
  out = -g * sine(s, 0u);
  //#end
  //#if TANH
  // s = y
  out = g * (1.0 - s * s);
  //#end
  //#if SIGMOID
  // s = y
  out = g * ((1.0 - s) * s);
  //#end
  // σ(x) (1 + x (1 - σ(x))), and 1 - σ(x) = σ(-x)
  //#if SILU
  // s = x
  out = g / (1.0 + exp(-s)) * (1.0 + s / (1.0 + exp(s)));
  //#end
  //#if SOFTPLUS
  // s = x
  out = g / (1.0 + exp(-s));
  //#end
  //#if ERF
  // s = x; 2/√π e^-x²
  out = g * 1.1283791670955126 * exp(-s * s);
  //#end
  // Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π)
  //#if GELU
  // s = x
  out = g * (normal_cdf(s) + s * (0.3989422804014327 * exp(-0.5 * s * s)));
  //#end
  //#if GELU_TANH
  // s = x
  out = g * vec4f(gelu_slope(s.x), gelu_slope(s.y), gelu_slope(s.z), gelu_slope(s.w));
  //#end
  // Drivers' exp may turn NaN into a number.
  //#if SILU || SOFTPLUS || ERF || GELU || GELU_TANH
  out = select(out, s, is_nan(s));
  //#end
  return out;
}

fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(INFINITY);
}

// ln(1 + e) for e in [0, 1]: 2 artanh(s) with s = e / (2 + e), by its series.
fn log_of_one_plus(e: vec4f) -> vec4f {
  let s = e / (2.0 + e);
  let z = s * s;
  var r = z * 0.06666666667 + 0.07692307692;
  r = r * z + 0.09090909091;
  r = r * z + 0.11111111111;
  r = r * z + 0.14285714286;
  r = r * z + 0.2;
  r = r * z + 0.33333333333;
  return 2.0 * s + 2.0 * s * (z * r);
}

// Sine of v + quarter · π/2, after Cephes: the nearest multiple of π/2 is taken off in three parts, the rest is within ±π/4. Good to a few
// units in the last place (of 1, near the zeros) while |v| < 2^15; beyond it is the driver's.
fn sine(v: vec4f, quarter: u32) -> vec4f {
  let far = abs(v) >= vec4f(32768.0);
  let near = select(v, vec4f(0.0), far);
  let k = round(near * 0.6366197723675814);
  let r = ((near - k * 1.5703125) - k * 4.837512969970703125e-4) - k * 7.54978995489188216e-8;
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  let q = bitcast<vec4u>(vec4i(k)) + quarter;
  let size = select(s, c, (q & vec4u(1u)) == vec4u(1u));
  var out = select(size, -size, (q & vec4u(2u)) == vec4u(2u));
  if (any(far)) {
    let angle = v + f32(quarter) * 1.5707963267948966;
    out = select(out, sin(angle), far);
  }
  let endless = (bitcast<vec4u>(v) & vec4u(INFINITY)) == vec4u(INFINITY);
  return bitcast<vec4f>(select(bitcast<vec4u>(out), vec4u(NAN), endless));
}

// erf to about one unit in the last place, after N. Juffa's minimax polynomials: x + x P(x²) near 0, else 1 - e^Q(|x|). From 4 on it is 1.
fn error_function(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(4.0));
  let z = a * a;
  var q = (-1.72853470e-5 * a + 3.83197126e-4) * z + (-3.88396438e-3 * a + 2.42546219e-2);
  q = q * a - 1.06777877e-1;
  q = q * a - 6.34846687e-1;
  q = q * a - 1.28717512e-1;
  q = q * a - a;
  let far = 1.0 - exp(q);
  var p = -5.96761703e-4 * z + 4.99119423e-3;
  p = p * z - 2.67681349e-2;
  p = p * z + 1.12819925e-1;
  p = p * z - 3.76125336e-1;
  p = p * z + 1.28379166e-1;
  let near = p * a + a;
  let size = select(far, near, a <= vec4f(0.927734375));
  return select(select(size, -size, v < vec4f(0.0)), v, is_nan(v));
}

// Φ, the distribution function of a standard normal.
fn normal_cdf(v: vec4f) -> vec4f {
  return 0.5 + 0.5 * error_function(v * 0.7071067811865476);
}
`,
  unit_rows: `// unit_rows — rows of unit norm under an optimizer: what the decoders of sparse autoencoders are held to. One row an invocation.
//   reject:    out[r] = x[r] − (x[r]·w[r] / ‖w[r]‖²) w[r]; x[r] itself where w[r] is 0. x of any strides, w and out [rows, columns] dense.
//   normalize: w[r] = w[r] / max(‖w[r]‖, 1e-8), in place.
// Dispatch: ceil(rows / 64) workgroups.

struct Params {
  rows: u32,
  columns: u32,
  offset: u32,       // x: first element,
  rowStride: u32,    // from row to row,
  columnStride: u32, // from column to column
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn reject(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let r = id.x + id.y * groups.x * 64u;
  if (r >= params.rows) { return; }
  let from_x = params.offset + r * params.rowStride;
  let from_w = r * params.columns;
  var along = 0.0;
  var norm = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let direction = w[from_w + c];
    along += x[from_x + c * params.columnStride] * direction;
    norm += direction * direction;
  }
  let part = select(0.0, along / norm, norm > 0.0);
  for (var c = 0u; c < params.columns; c++) { out[from_w + c] = x[from_x + c * params.columnStride] - part * w[from_w + c]; }
}

@compute @workgroup_size(64)
fn normalize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let r = id.x + id.y * groups.x * 64u;
  if (r >= params.rows) { return; }
  let start = r * params.columns;
  var norm = 0.0;
  for (var c = 0u; c < params.columns; c++) { norm += rows[start + c] * rows[start + c]; }
  let divisor = max(sqrt(norm), 1e-8);
  for (var c = 0u; c < params.columns; c++) { rows[start + c] = rows[start + c] / divisor; }
}
`,
  where: `// where — chooses between two elements by a condition, with broadcasting.
//   vectors:  out[i] = condition[i] ? a[i] : b[i], all dense and of one shape; four elements an invocation
//   elements: the same for any layout, one element an invocation
// Elements are 4 bytes of any dtype, moved as bits; the condition is 0 or 1 in a u32. With A_NUMBER or B_NUMBER that operand is the
// parameter \`number\` instead of an array. Shapes and strides come collapsed (at most 8 axes), in elements; strides of 0 broadcast.
// What the last vector holds beyond the data is chosen too and lands in the padding of the output's memory.
// Dispatch: ceil(size / 256) or ceil(size / 64) workgroups, folded into x and y.

const A_NUMBER = false; //#param
const B_NUMBER = false; //#param

struct Params {
  // Elements of the output.
  size: u32,
  rank: u32,
  conditionOffset: u32,
  aOffset: u32,
  bOffset: u32,
  number: u32,
  shape: array<vec4u, 2>,
  conditionStrides: array<vec4u, 2>,
  aStrides: array<vec4u, 2>,
  bStrides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(2) var<storage, read> condition4: array<vec4u>;
@group(0) @binding(3) var<storage, read> a4: array<vec4u>;
@group(0) @binding(4) var<storage, read> b4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> condition: array<u32>;
@group(0) @binding(3) var<storage, read> a: array<u32>;
@group(0) @binding(4) var<storage, read> b: array<u32>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

const j = 0u; //#loop

// Where the operands of the output's element i lie: an axis a step from the last one on. Spelled out, since software adapters are slow to
// index parameters by a variable.
fn places(i: u32) -> vec3u {
  var rest = i;
  var at = vec3u(params.conditionOffset, params.aOffset, params.bOffset);
  //#for j in 0..8
  if (params.rank > 7u - j) {
    const k = 7u - j;
    let next = rest / params.shape[k / 4u][k % 4u];
    let strides = vec3u(params.conditionStrides[k / 4u][k % 4u], params.aStrides[k / 4u][k % 4u], params.bStrides[k / 4u][k % 4u]);
    at += (rest - next * params.shape[k / 4u][k % 4u]) * strides;
    rest = next;
  }
  //#end
  return at;
}

@compute @workgroup_size(64)
fn vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (4u * i >= params.size) { return; }
  var p = vec4u(params.number);
  var q = p;
  //#if !A_NUMBER
  p = a4[i];
  //#end
  //#if !B_NUMBER
  q = b4[i];
  //#end
  out4[i] = select(q, p, condition4[i] != vec4u(0u));
}

@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let at = places(i);
  var p = params.number;
  var q = params.number;
  //#if !A_NUMBER
  p = a[at.y];
  //#end
  //#if !B_NUMBER
  q = b[at.z];
  //#end
  out[i] = select(q, p, condition[at.x] != 0u);
}
`,
} as const;

/** The name of a file in `shaders/`, without its ending. */
export type ShaderName = keyof typeof shaders;
