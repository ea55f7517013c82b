// cross_entropy — −log softmax(logits)[class] for every row of logits [rows, length], and its gradient.
//   forward:  loss[row] = log Σ exp(logits) − logits[class], normalizer[row] = log Σ exp(logits)
//   total:    result[0] = Σ loss (MEAN: / count), count[0] = number of rows that are not ignored; one workgroup
//   backward: gradient = (exp(logits − normalizer) − [c = class]) · slope, slope divided by the count (MEAN) or one a row (PER_ROW); columns
//             from `length` to `stride` get zeros
// The softmax is never stored. Logits are rows `stride` apart (≥ length: matrix products like strides that are multiples of 4); the gradient
// has the stride `gradientStride`. Rows of the class `ignore` count for nothing; rows of any other class outside 0 … length − 1 give NaN.
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
