// attention_portable — softmax(scale · q kᵀ) v and its gradients; one invocation a row, no subgroups, no workgroup memory.
// Flash attention (Dao et al., arXiv 2205.14135; Dao, arXiv 2307.08691): scores are never stored. Forward keeps a running maximum and
// sum a row and saves their logarithm; backward recomputes the probabilities from it. Nothing is shared between rows, so nothing races.
//
//   forward:            query, key, value → output [.., T, D], logsumexp [.., T]
//   row_dots:           output, gradient → delta [.., T]: Σ_d output · gradient, which is Σ_j P_ij dP_ij
//   backward_query:     dq_i = scale Σ_j dS_ij k_j                                     with P_ij = 2^(score_ij − logsumexp_i),
//   backward_key_value: dk_j = scale Σ_i dS_ij q_i,  dv_j = Σ_i P_ij gradient_i        dS_ij = P_ij (gradient_i · v_j − delta_i)
//
// query, output, gradient [heads, queries, D]; key, value [heads, keys, D]; `heads` are all leading axes, walked as (outer, inner).
// A tensor lies in its storage as a vec4u says: offset, outer stride, inner stride, row stride, in elements; its last axis has stride 1.
// VEC4: D and all offsets and strides are multiples of 4. logsumexp and delta are dense. Scores are in units of log 2 (scaled by log2 e).
// Causal: query i sees keys 0 … i. D4 = ceil(D / 4) is baked in, elements beyond D count as 0.
// Dispatch: ceil(heads · rows / 64) workgroups, rows = queries (backward_key_value: keys), folded into x and y.

const D4 = 4u; //#param
const VEC4 = true; //#param
const c = 0u; //#loop

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
  let i = start + 4u * chunk + vec4u(0u, 1u, 2u, 3u);
  return within_head(chunk, vec4f(query[i.x / 4u][i.x % 4u], query[i.y / 4u][i.y % 4u], query[i.z / 4u][i.z % 4u], query[i.w / 4u][i.w % 4u]));
  //#end
}

fn key_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return key[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk + vec4u(0u, 1u, 2u, 3u);
  return within_head(chunk, vec4f(key[i.x / 4u][i.x % 4u], key[i.y / 4u][i.y % 4u], key[i.z / 4u][i.z % 4u], key[i.w / 4u][i.w % 4u]));
  //#end
}

fn value_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return value[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk + vec4u(0u, 1u, 2u, 3u);
  return within_head(chunk, vec4f(value[i.x / 4u][i.x % 4u], value[i.y / 4u][i.y % 4u], value[i.z / 4u][i.z % 4u], value[i.w / 4u][i.w % 4u]));
  //#end
}

fn output_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return output[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk + vec4u(0u, 1u, 2u, 3u);
  return within_head(chunk, vec4f(output[i.x / 4u][i.x % 4u], output[i.y / 4u][i.y % 4u], output[i.z / 4u][i.z % 4u], output[i.w / 4u][i.w % 4u]));
  //#end
}

fn gradient_at(start: u32, chunk: u32) -> vec4f {
  //#if VEC4
  return gradient[start / 4u + chunk];
  //#else
  let i = start + 4u * chunk + vec4u(0u, 1u, 2u, 3u);
  return within_head(chunk, vec4f(gradient[i.x / 4u][i.x % 4u], gradient[i.y / 4u][i.y % 4u], gradient[i.z / 4u][i.z % 4u], gradient[i.w / 4u][i.w % 4u]));
  //#end
}

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
  //#for c in 0..D4
  let q__c = query_at(queryRow, c) * (params.scale * LOG2_E);
  var sum__c = vec4f();
  //#end
  var top = -1e30;
  var total = 0.0;
  let end = select(params.keys, min(i + 1u, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j++) {
    let k = keyRows + j * params.keyLayout[0].w;
    let v = valueRows + j * params.valueLayout[0].w;
    var score = 0.0;
    //#for c in 0..D4
    score += dot(q__c, key_at(k, c));
    //#end
    let higher = max(top, score);
    let shrink = exp2(top - higher);
    let p = exp2(score - higher);
    top = higher;
    total = total * shrink + p;
    //#for c in 0..D4
    sum__c = sum__c * shrink + p * value_at(v, c);
    //#end
  }
  // Without keys there is nothing to weigh: 0, as the empty sum is.
  let weight = select(1.0 / total, 0.0, end == 0u);
  let outputRow = row_start(params.outputLayout[0], head, i);
  //#for c in 0..D4
  store(outputRow, c, sum__c * weight);
  //#end
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
  //#for c in 0..D4
  sum += dot(output_at(outputRow, c), gradient_at(gradientRow, c));
  //#end
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
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  //#for c in 0..D4
  let q__c = query_at(queryRow, c) * (params.scale * LOG2_E);
  let g__c = gradient_at(gradientRow, c);
  var sum__c = vec4f();
  //#end
  let offset = logsumexp[row];
  let mean = delta[row];
  let end = select(params.keys, min(i + 1u, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j++) {
    let k = keyRows + j * params.keyLayout[0].w;
    let v = valueRows + j * params.valueLayout[0].w;
    var score = 0.0;
    var dp = 0.0;
    //#for c in 0..D4
    let k__c = key_at(k, c);
    score += dot(q__c, k__c);
    dp += dot(g__c, value_at(v, c));
    //#end
    let ds = exp2(score - offset) * (dp - mean);
    //#for c in 0..D4
    sum__c += ds * k__c;
    //#end
  }
  let resultRow = row_start(params.queryGradientLayout[0], head, i);
  //#for c in 0..D4
  store(resultRow, c, sum__c * params.scale);
  //#end
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
  //#for c in 0..D4
  let k__c = key_at(keyRow, c) * (params.scale * LOG2_E);
  let v__c = value_at(valueRow, c);
  var keySum__c = vec4f();
  var valueSum__c = vec4f();
  //#end
  let first = select(0u, j, params.causal != 0u);
  for (var i = first; i < params.queries; i++) {
    let q = queryRows + i * params.queryLayout[0].w;
    let g = gradientRows + i * params.gradientLayout[0].w;
    var score = 0.0;
    var dp = 0.0;
    //#for c in 0..D4
    let q__c = query_at(q, c);
    let g__c = gradient_at(g, c);
    score += dot(k__c, q__c);
    dp += dot(v__c, g__c);
    //#end
    let p = exp2(score - logsumexp[head * params.queries + i]);
    let ds = p * (dp - delta[head * params.queries + i]);
    //#for c in 0..D4
    keySum__c += ds * q__c;
    valueSum__c += p * g__c;
    //#end
  }
  let keyResult = row_start(params.keyGradientLayout[0], head, j);
  let valueResult = row_start(params.valueGradientLayout[0], head, j);
  //#for c in 0..D4
  store(keyResult, c, keySum__c * params.scale);
  store(valueResult, c, valueSum__c);
  //#end
}
