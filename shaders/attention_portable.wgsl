// attention_portable — softmax(scale · q kᵀ) v and its gradients; one invocation a row, no subgroups, no workgroup memory.
// Flash attention (Dao et al., arXiv 2205.14135; Dao, arXiv 2307.08691): scores are never stored. Forward keeps a running maximum and
// sum a row and saves their logarithm; backward recomputes the probabilities from it. Nothing is shared between rows, so nothing races.
//
//   forward:            query, key, value → output [.., T, D], logsumexp [.., T]
//   backward_query:     dq_i = scale Σ_j dS_ij k_j                                     with P_ij = 2^(score_ij − logsumexp_i),
//   backward_key_value: dk_j = scale Σ_i dS_ij q_i,  dv_j = Σ_i P_ij gradient_i        dS_ij = P_ij (gradient_i · v_j − delta_i)
//   row_dots:           delta_i = Σ_d output_i · gradient_i, which is Σ_j P_ij dP_ij; backward_query leaves it behind too
//
// query, output, gradient [heads, queries, D]; key, value [heads, keys, D]; `heads` are all leading axes, walked as (outer, inner).
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

/// Elements 4 chunk … 4 chunk + 3 of the row that starts at `start`.
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
