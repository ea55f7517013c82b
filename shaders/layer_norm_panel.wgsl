// layer_norm_panel — layer_norm for adapters with small subgroups of a fixed size (software: lavapipe 8 lanes, SwiftShader 4).
// One subgroup a workgroup walks `chunk` rows and shares each: lane l has the vec4 n·SG + l, n < V, of every row in registers. So weight,
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
