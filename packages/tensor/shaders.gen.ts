// Generated from shaders/*.wgsl by scripts/gen_shaders.mjs; edit the WGSL and run `pnpm shaders`.

/** The WGSL source of every kernel family, by the name of its file. */
export const shaders = {
  attention_portable: `// attention_portable — softmax(scale · q kᵀ) v and its gradients; one invocation a row, no subgroups, no workgroup memory.
// Flash attention (Dao et al., arXiv 2205.14135; Dao, arXiv 2307.08691): scores are never stored. Forward keeps a running maximum and
// sum a row and saves their logarithm; backward recomputes the probabilities from it. Nothing is shared between rows, so nothing races.
//
//   forward:            query, key, value → output [.., T, D], logsumexp [.., T]
//   row_dots:           output, gradient → delta [.., T]: Σ_d output · gradient, which is Σ_j P_ij dP_ij
//   backward_query:     dq_i = scale Σ_j dS_ij k_j                                     with P_ij = 2^(score_ij − logsumexp_i),
//   backward_key_value: dk_j = scale Σ_i dS_ij q_i,  dv_j = Σ_i P_ij gradient_i        dS_ij = P_ij (gradient_i · v_j − delta_i)
//
// query, output, gradient [heads, queries, D]; key, value [heads, keys, D]; \`heads\` are all leading axes, walked as (outer, inner).
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

/// Elements 4 chunk … 4 chunk + 3 of the row that starts at \`start\`.
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
`,
  copy: `// copy — moves and fills elements between strided layouts.
// Elements are 4 bytes of any dtype, moved as bits. Shapes and strides come collapsed (at most 8 axes), in elements.
//   strided:  destination[i…] = source[i…]   for every index of \`shape\`
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

@compute @workgroup_size(64)
fn strided(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var place = params.destinationOffset;
  var origin = params.sourceOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.destinationStrides[a / 4u][a % 4u];
    origin += at * params.sourceStrides[a / 4u][a % 4u];
  }
  destination[place] = source[origin];
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
  var rest = i;
  var place = params.destinationOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    place += (rest % n) * params.destinationStrides[a / 4u][a % 4u];
    rest /= n;
  }
  destination[place] = params.value;
}
`,
  gemm_portable: `// gemm_portable — C = A·B in plain registers: no subgroups, no workgroup memory.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets, so transposed, sliced and broadcast operands need no copy
//   out [split, batch, M, N]: row stride \`outRow\`; with one split the result, else partial sums over stretches of k for gemm_reduce
// Epilogue (one split only): out = activation(C + bias[column]) + residual[batch, row, column].
//   GELU: the activation is GELU's tanh form, and the sum before it goes to \`pre\`, laid out like \`out\`.
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
@group(0) @binding(6) var<storage, read_write> pre: array<f32>;

// x·sigmoid(2u) with u = √(2/π)·(x + 0.044715 x³) is 0.5·x·(1 + tanh u); the clamp keeps exp finite and changes nothing above 1e-26·x.
fn gelu(x: f32) -> f32 {
  return x / (1.0 + exp(clamp(-1.5957691216057308 * (x + 0.044715 * x * x * x), -60.0, 60.0)));
}
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

// \`sliceRow\` counts rows over all batches.
fn store(sum: f32, place: u32, sliceRow: u32, column: u32) {
  var value = sum;
  if (params.hasBias != 0u) { value += bias[column]; }
  //#if GELU
  pre[place] = value;
  value = gelu(value);
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
  let from = split * params.splitLength;
  let to = min(params.k, from + params.splitLength);

  let start = batch_offsets(batch);
  //#for q in 0..8
  var a__q = start.x + min(row + q, params.m - 1u) * params.aRow + from * params.aColumn;
  var sum__q = vec4f();
  var rowSum__q = 0.0;
  //#end
  //#for c in 0..4
  var b__c = start.y + min(column + c, params.n - 1u) * params.bColumn + from * params.bRow;
  //#end
  for (var k = from; k < to; k++) {
    let y = vec4f(b[b_0], b[b_1], b[b_2], b[b_3]);
    //#for c in 0..4
    b__c += params.bRow;
    //#end
    //#for q in 0..8
    let x__q = a[a__q];
    a__q += params.aColumn;
    sum__q += x__q * y;
    //#if ROW_SUMS
    rowSum__q += x__q;
    //#end
    //#end
  }

  let out0 = split * params.outSlice;
  //#for q in 0..8
  if (row + q < params.m) {
    let sliceRow = batch * params.m + row + q;
    for (var c = 0u; c < min(4u, params.n - column); c++) {
      store(sum__q[c], out0 + sliceRow * params.outRow + column + c, sliceRow, column + c);
    }
    //#if ROW_SUMS
    if (column == 0u) { out[out0 + params.rowSumsOffset + sliceRow] = rowSum__q; }
    //#end
  }
  //#end
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
const MAP_TRUTH = 10u; // 1 where x ≠ 0

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

const ORDER_I32 = 1u;
const ORDER_U32 = 2u;
const ORDER_LEAST = 4u;
const ORDER_ABS = 8u;

struct Params {
  outputs: u32,
  length: u32,
  splits: u32,
  chunk: u32,
  offset: u32,
  keptRank: u32,
  reducedRank: u32,
  order: u32,
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
  var bits = given;
  if ((params.order & ORDER_ABS) != 0u) { bits &= 0x7fffffffu; }
  let is_f32 = (params.order & (ORDER_I32 | ORDER_U32)) == 0u;
  if (is_f32 && is_nan(bits)) { return 0xffffffffu; }
  if (is_f32) {
    if (bits == 0x80000000u) { bits = 0u; }
    bits ^= select(0x80000000u, 0xffffffffu, bits >= 0x80000000u);
  } else if ((params.order & ORDER_I32) != 0u) { bits ^= 0x80000000u; }
  return select(bits, ~bits, (params.order & ORDER_LEAST) != 0u);
}

fn value_of_key(given: u32) -> u32 {
  let is_f32 = (params.order & (ORDER_I32 | ORDER_U32)) == 0u;
  if (is_f32 && given == 0xffffffffu) { return 0x7fc00000u; }
  let bits = select(given, ~given, (params.order & ORDER_LEAST) != 0u);
  if (is_f32) { return bits ^ select(0xffffffffu, 0x80000000u, bits >= 0x80000000u); }
  return select(bits, bits ^ 0x80000000u, (params.order & ORDER_I32) != 0u);
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
  if (MAP == MAP_EQUALS) { return select(0u, 1u, v == bitcast<f32>(against)); }
  if (MAP == MAP_TRUTH) { return select(1u, 0u, bits == 0u || ((params.order & (ORDER_I32 | ORDER_U32)) == 0u && bits == 0x80000000u)); }
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

fn element(base: u32, r: u32, end: u32, against: u32) -> u32 {
  if (r >= end) { return identity(); }
  if (FLAT) { return mapped(x[base + r * params.reducedStrides[0][0]], r, against); }
  var rest = r;
  var place = base;
  for (var axis = params.reducedRank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.reducedShape[a / 4u][a % 4u];
    place += (rest % n) * params.reducedStrides[a / 4u][a % 4u];
    rest /= n;
  }
  return mapped(x[place + rest * params.reducedStrides[0][0]], r, against);
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
} as const;

/** The name of a file in `shaders/`, without its ending. */
export type ShaderName = keyof typeof shaders;
