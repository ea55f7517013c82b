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

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let wanted = ((group.x + group.y * groups.x) * WORKGROUP + local) / LANES;
  let start = row_start(min(wanted, params.rows - 1u)); // invocations beyond the end repeat the last row and write nothing
  let lane = local % LANES;
  var greatest = LOWEST;
  for (var c = lane; c < params.length; c += LANES) { greatest = max(greatest, x[start.x + c * params.inputStep]); }
  greatest = row_max(greatest, local);
  var sum = 0.0;
  for (var c = lane; c < params.length; c += LANES) { sum += exp(x[start.x + c * params.inputStep] - greatest); }
  sum = row_sum(sum, local);
  if (wanted >= params.rows) { return; }
  let log_sum = log(sum);
  for (var c = lane; c < params.length; c += LANES) {
    let shifted = x[start.x + c * params.inputStep] - greatest;
    y[start.y + c * params.step] = select(exp(shifted) / sum, shifted - log_sum, LOG);
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
  var sum = 0.0;
  for (var c = lane; c < params.length; c += LANES) {
    let slope = dy[start.x + c * params.inputStep];
    sum += select(slope * saved_y[start.y + c * params.step], slope, LOG);
  }
  sum = row_sum(sum, local);
  if (wanted >= params.rows) { return; }
  for (var c = lane; c < params.length; c += LANES) {
    let slope = dy[start.x + c * params.inputStep];
    let result = saved_y[start.y + c * params.step];
    dx[start.y + c * params.step] = select(result * (slope - sum), slope - exp(result) * sum, LOG);
  }
}
