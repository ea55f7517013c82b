// layer_norm — normalises rows of x [rows, length] to mean 0 and variance 1 (Ba, Kiros and Hinton, arXiv 1607.06450).
//   forward:    y = (x − mean) · rstd · weight + bias, rstd = 1 / √(variance + eps); writes mean and rstd too
//   backward:   dx = rstd · (v − mean(v) − x̂ · mean(v · x̂)), v = dy · weight, x̂ = (x − mean) · rstd; PENDING: + pending
//   parameters: partial[split, 0, c] = Σ dy · x̂ and partial[split, 1, c] = Σ dy over the split's rows; columns padded to `width`, zeros there
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
