// softmax — softmax and log-softmax along one axis of a strided tensor, and their gradients.
//   forward:  y = exp(x − max) / Σ exp(x − max), or LOG: y = x − max − log Σ exp(x − max)
//   backward: dx = y · (dy − Σ dy · y), or LOG: dx = dy − exp(y) · Σ dy
// A row is `length` elements along the axis. Rows are counted over `shape` (the other axes, collapsed) with strides in the input (x or dy) and
// in the dense result (y, dx); elements of a row lie `inputStep` and `step` apart.
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
