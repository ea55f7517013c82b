// reduce_gradient — gradients of reductions that depend on the element: dx[i] = f(x[i], y[o], extra[o]) · g[o], where o is the output that
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
