// attention_cached — attention of one query a head to keys and values that were kept (a KV cache): what decoding does for every token.
//
//   result = Σ_j softmax_j(scale q · k_j) v_j
//
// over the rows j < length of the cache. OWN: the query's own key and value come along; they are attended to as well, and put into the cache
// as row `length`, which nobody reads in this dispatch.
//
// query, ownKey, ownValue, result [heads, 1, D]; `heads` are all leading axes, walked as (outer, inner). A tensor lies in its storage as a
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
