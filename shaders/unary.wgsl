// unary — a function of every element, and its gradient.
//   forward:  y[i]  = f(x[i])
//   gradient: dx[i] = dy[i] · f'   with f' computed from `saved[i]`: the input x[i] or the output y[i], whichever serves better
// All arrays are dense, of the same shape, four elements an invocation. What the last vector holds beyond the data is computed too and
// lands in the padding of the output's memory. The function is the template parameter that is true; INTEGER makes the elements integers.
// Dispatch: ceil(vectors / 64) workgroups, folded into x and y.
// Logarithm, sine, cosine, tanh and erf are our own: WGSL promises few digits for them, and drivers differ at 0, infinity and NaN. (One of them has e^NaN = infinity.)

//---- functions
const NEG = false; //#param
const ABS = false; //#param
const SIGN = false; //#param
const SQUARE = false; //#param
const RELU = false; //#param
const CLAMP = false; //#param
const EXP = false; //#param
const LOG = false; //#param
const SQRT = false; //#param
const RSQRT = false; //#param
const RECIPROCAL = false; //#param
const SIN = false; //#param
const COS = false; //#param
const TANH = false; //#param
const SIGMOID = false; //#param
const SILU = false; //#param
const SOFTPLUS = false; //#param
const ERF = false; //#param
const GELU = false; //#param
const GELU_TANH = false; //#param
const FLOOR = false; //#param
const CEIL = false; //#param
const ROUND = false; //#param
const IS_NAN = false; //#param
const LOGICAL_NOT = false; //#param
//---- conversions
const FLOAT_TO_I32 = false; //#param
const FLOAT_TO_U32 = false; //#param
const FLOAT_TO_BOOL = false; //#param
const I32_TO_FLOAT = false; //#param
const U32_TO_FLOAT = false; //#param
const INTEGER_TO_BOOL = false; //#param
//---- elements are i32 (or u32, where a function allows it) instead of f32
const INTEGER = false; //#param

struct Params {
  vectors: u32,
  // Limits of clamp, as bits of the element type.
  low: u32,
  high: u32,
  // 0x80000000 for i32: flips signed order into unsigned order. 0 for u32.
  signBit: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4u>;
@group(0) @binding(2) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> saved: array<vec4f>;

//#include logarithm
//#include hyperbolic_tangent
//#include gelu

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  y[i] = value(x[i]);
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  dx[i] = slope(dy[i], saved[i]);
}

// f of four elements, bits in and out.
fn value(in: vec4u) -> vec4u {
  let v = bitcast<vec4f>(in);
  let magnitude = in & vec4u(0x7fffffffu);
  var out = v;
  var bits = in;
  //#if NEG
  out = -v;
  bits = ~in + 1u;
  //#end
  //#if ABS
  out = abs(v);
  bits = bitcast<vec4u>(abs(bitcast<vec4i>(in)));
  //#end
  //#if SIGN
  out = select(vec4f(0.0), vec4f(1.0), v > vec4f(0.0)) - select(vec4f(0.0), vec4f(1.0), v < vec4f(0.0));
  bits = bitcast<vec4u>(sign(bitcast<vec4i>(in)));
  //#end
  //#if SQUARE
  out = v * v;
  bits = in * in;
  //#end
  // Written with select: max(NaN, 0) would be 0.
  //#if RELU
  out = select(v, vec4f(0.0), v < vec4f(0.0));
  bits = bitcast<vec4u>(max(bitcast<vec4i>(in), vec4i(0)));
  //#end
  //#if CLAMP
  let low = vec4u(params.low);
  let high = vec4u(params.high);
  out = select(v, bitcast<vec4f>(low), v < bitcast<vec4f>(low));
  out = select(out, bitcast<vec4f>(high), out > bitcast<vec4f>(high));
  let flip = vec4u(params.signBit);
  bits = min(max(in ^ flip, low ^ flip), high ^ flip) ^ flip;
  //#end
  //#if EXP
  out = select(exp(v), v, is_nan(v));
  //#end
  //#if LOG
  out = logarithm(v);
  //#end
  //#if SQRT
  out = sqrt(v);
  //#end
  //#if RSQRT
  out = inverseSqrt(v);
  //#end
  //#if RECIPROCAL
  out = 1.0 / v;
  //#end
  //#if SIN
  out = sine(v, 0u);
  //#end
  //#if COS
  out = sine(v, 1u);
  //#end
  //#if TANH
  out = hyperbolic_tangent(v);
  //#end
  //#if SIGMOID
  out = select(1.0 / (1.0 + exp(-v)), v, is_nan(v));
  //#end
  //#if SILU
  out = v / (1.0 + exp(-v));
  //#end
  // log(1 + e^v) = max(v, 0) + log1p(e^-|v|)
  //#if SOFTPLUS
  out = select(vec4f(0.0), v, v > vec4f(0.0)) + log_of_one_plus(exp(-abs(v)));
  //#end
  //#if ERF
  out = error_function(v);
  //#end
  //#if GELU
  out = v * normal_cdf(v);
  //#end
  // As inside of products, to the same bits.
  //#if GELU_TANH
  out = vec4f(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
  //#end
  //#if FLOOR
  out = floor(v);
  //#end
  //#if CEIL
  out = ceil(v);
  //#end
  //#if ROUND
  out = round(v);
  //#end
  //#if !INTEGER
  bits = bitcast<vec4u>(out);
  //#end
  //#if IS_NAN
  bits = select(vec4u(0u), vec4u(1u), magnitude > vec4u(INFINITY));
  //#end
  //#if LOGICAL_NOT && !INTEGER
  bits = select(vec4u(0u), vec4u(1u), magnitude == vec4u(0u));
  //#end
  //#if LOGICAL_NOT && INTEGER
  bits = select(vec4u(0u), vec4u(1u), in == vec4u(0u));
  //#end
  // Conversions saturate, at the integer ends that f32 cannot hold too; NaN becomes 0 (and true).
  //#if FLOAT_TO_I32
  bits = select(bitcast<vec4u>(vec4i(v)), vec4u(0x7fffffffu), v >= vec4f(2147483648.0));
  bits = select(bits, vec4u(0u), magnitude > vec4u(INFINITY));
  //#end
  //#if FLOAT_TO_U32
  bits = select(vec4u(v), vec4u(0xffffffffu), v >= vec4f(4294967296.0));
  bits = select(bits, vec4u(0u), magnitude > vec4u(INFINITY));
  //#end
  //#if FLOAT_TO_BOOL
  bits = select(vec4u(1u), vec4u(0u), magnitude == vec4u(0u));
  //#end
  //#if I32_TO_FLOAT
  bits = bitcast<vec4u>(vec4f(bitcast<vec4i>(in)));
  //#end
  //#if U32_TO_FLOAT
  bits = bitcast<vec4u>(vec4f(in));
  //#end
  //#if INTEGER_TO_BOOL
  bits = min(in, vec4u(1u));
  //#end
  return bits;
}

// g · f', where s is what the op saved.
fn slope(g: vec4f, s: vec4f) -> vec4f {
  var out = g;
  //#if ABS
  // s = x
  out = select(vec4f(0.0), g, s > vec4f(0.0)) - select(vec4f(0.0), g, s < vec4f(0.0));
  //#end
  //#if SQUARE
  // s = x
  out = 2.0 * g * s;
  //#end
  //#if RELU
  // s = y
  out = select(g, vec4f(0.0), s <= vec4f(0.0));
  //#end
  //#if CLAMP
  // s = x
  let inside = (s >= vec4f(bitcast<f32>(params.low))) & (s <= vec4f(bitcast<f32>(params.high)));
  out = select(vec4f(0.0), g, inside);
  //#end
  //#if SQRT
  // s = y
  out = g / (2.0 * s);
  //#end
  //#if RSQRT
  // s = y
  out = -0.5 * g * (s * s * s);
  //#end
  //#if RECIPROCAL
  // s = y
  out = -g * (s * s);
  //#end
  //#if SIN
  // s = x
  out = g * sine(s, 1u);
  //#end
  //#if COS
  // s = x
  out = -g * sine(s, 0u);
  //#end
  //#if TANH
  // s = y
  out = g * (1.0 - s * s);
  //#end
  //#if SIGMOID
  // s = y
  out = g * ((1.0 - s) * s);
  //#end
  // σ(x) (1 + x (1 - σ(x))), and 1 - σ(x) = σ(-x)
  //#if SILU
  // s = x
  out = g / (1.0 + exp(-s)) * (1.0 + s / (1.0 + exp(s)));
  //#end
  //#if SOFTPLUS
  // s = x
  out = g / (1.0 + exp(-s));
  //#end
  //#if ERF
  // s = x; 2/√π e^-x²
  out = g * 1.1283791670955126 * exp(-s * s);
  //#end
  // Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π)
  //#if GELU
  // s = x
  out = g * (normal_cdf(s) + s * (0.3989422804014327 * exp(-0.5 * s * s)));
  //#end
  //#if GELU_TANH
  // s = x
  out = g * vec4f(gelu_slope(s.x), gelu_slope(s.y), gelu_slope(s.z), gelu_slope(s.w));
  //#end
  // Drivers' exp may turn NaN into a number.
  //#if SILU || SOFTPLUS || ERF || GELU || GELU_TANH
  out = select(out, s, is_nan(s));
  //#end
  return out;
}

fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(INFINITY);
}

// ln(1 + e) for e in [0, 1]: 2 artanh(s) with s = e / (2 + e), by its series.
fn log_of_one_plus(e: vec4f) -> vec4f {
  let s = e / (2.0 + e);
  let z = s * s;
  var r = z * 0.06666666667 + 0.07692307692;
  r = r * z + 0.09090909091;
  r = r * z + 0.11111111111;
  r = r * z + 0.14285714286;
  r = r * z + 0.2;
  r = r * z + 0.33333333333;
  return 2.0 * s + 2.0 * s * (z * r);
}

// Sine of v + quarter · π/2, after Cephes: the nearest multiple of π/2 is taken off in three parts, the rest is within ±π/4. Good to a few
// units in the last place (of 1, near the zeros) while |v| < 2^15; beyond it is the driver's.
fn sine(v: vec4f, quarter: u32) -> vec4f {
  let far = abs(v) >= vec4f(32768.0);
  let near = select(v, vec4f(0.0), far);
  let k = round(near * 0.6366197723675814);
  let r = ((near - k * 1.5703125) - k * 4.837512969970703125e-4) - k * 7.54978995489188216e-8;
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  let q = bitcast<vec4u>(vec4i(k)) + quarter;
  let size = select(s, c, (q & vec4u(1u)) == vec4u(1u));
  var out = select(size, -size, (q & vec4u(2u)) == vec4u(2u));
  if (any(far)) {
    let angle = v + f32(quarter) * 1.5707963267948966;
    out = select(out, sin(angle), far);
  }
  let endless = (bitcast<vec4u>(v) & vec4u(INFINITY)) == vec4u(INFINITY);
  return bitcast<vec4f>(select(bitcast<vec4u>(out), vec4u(NAN), endless));
}

// erf to about one unit in the last place, after N. Juffa's minimax polynomials: x + x P(x²) near 0, else 1 - e^Q(|x|). From 4 on it is 1.
fn error_function(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(4.0));
  let z = a * a;
  var q = (-1.72853470e-5 * a + 3.83197126e-4) * z + (-3.88396438e-3 * a + 2.42546219e-2);
  q = q * a - 1.06777877e-1;
  q = q * a - 6.34846687e-1;
  q = q * a - 1.28717512e-1;
  q = q * a - a;
  let far = 1.0 - exp(q);
  var p = -5.96761703e-4 * z + 4.99119423e-3;
  p = p * z - 2.67681349e-2;
  p = p * z + 1.12819925e-1;
  p = p * z - 3.76125336e-1;
  p = p * z + 1.28379166e-1;
  let near = p * a + a;
  let size = select(far, near, a <= vec4f(0.927734375));
  return select(select(size, -size, v < vec4f(0.0)), v, is_nan(v));
}

// Φ, the distribution function of a standard normal.
fn normal_cdf(v: vec4f) -> vec4f {
  return 0.5 + 0.5 * error_function(v * 0.7071067811865476);
}
