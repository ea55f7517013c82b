// binary — a function of two elements, with broadcasting.
//   vectors:  out[i…] = f(a[i…], b[i…]), four neighbours along the last axis an invocation
//   elements: the same for any layout, one element an invocation
//   scalar:   out[i] = f(a[i], value), a dense, four elements an invocation
// `out` is dense. Shapes and strides come collapsed (at most 8 axes), in elements; strides of 0 broadcast.
// Preconditions of `vectors`: the last axis has a multiple of 4 elements, or is the only one; each operand either has stride 1 there, and
// multiples of 4 as its offset and other strides (an operand's `splat` is 0), or stride 0 there (`splat` is 1).
// What the last vector holds beyond the data is computed too and lands in the padding of the output's memory.
// The function is the template parameter that is true; INTEGER makes the elements integers.
// Dispatch: ceil(vectors / 64) or ceil(size / 64) workgroups, folded into x and y.

//---- functions
const ADD = false; //#param
const SUB = false; //#param
const MUL = false; //#param
const DIV = false; //#param
const MAXIMUM = false; //#param
const MINIMUM = false; //#param
const POW = false; //#param
//---- functions that gradients need
const MAXIMUM_SHARE = false; //#param
const MINIMUM_SHARE = false; //#param
const POW_BY_BASE = false; //#param
const POW_BY_EXPONENT = false; //#param
//---- truth values: 0 or 1 in a u32
const EQ = false; //#param
const NE = false; //#param
const LT = false; //#param
const LE = false; //#param
const GT = false; //#param
const GE = false; //#param
const LOGICAL_AND = false; //#param
const LOGICAL_OR = false; //#param
//---- elements are i32, u32 or bool instead of f32
const INTEGER = false; //#param

struct Params {
  // Elements of the output.
  size: u32,
  // Invocations needed in all.
  vectors: u32,
  rank: u32,
  aOffset: u32,
  bOffset: u32,
  aSplat: u32,
  bSplat: u32,
  // The number of `scalar`, as bits of the element type.
  value: u32,
  // 0x80000000 for i32: flips signed order into unsigned order. 0 for the others.
  signBit: u32,
  shape: array<vec4u, 2>,
  aStrides: array<vec4u, 2>,
  bStrides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(2) var<storage, read> a4: array<vec4u>;
@group(0) @binding(3) var<storage, read> b4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;

//#include logarithm

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let place = places(4u * i);
  var p: vec4u;
  var q: vec4u;
  if (params.aSplat == 1u) { p = vec4u(a4[place.x / 4u][place.x % 4u]); } else { p = a4[place.x / 4u]; }
  if (params.bSplat == 1u) { q = vec4u(b4[place.y / 4u][place.y % 4u]); } else { q = b4[place.y / 4u]; }
  out4[i] = combine(p, q);
}

@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let place = places(i);
  out[i] = combine(vec4u(a[place.x]), vec4u(b[place.y])).x;
}

@compute @workgroup_size(64)
fn scalar(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  out4[i] = combine(a4[i], vec4u(params.value));
}

const j = 0u; //#loop

// Where the operands of the output's element i lie: an axis a step from the last one on. Spelled out, since software adapters are slow to
// index parameters by a variable. The first axis needs no division, so neither does a layout of one axis.
fn places(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(params.aOffset, params.bOffset);
  //#for j in 0..7
  if (params.rank > 7u - j) {
    const k = 7u - j;
    let next = rest / params.shape[k / 4u][k % 4u];
    at += (rest - next * params.shape[k / 4u][k % 4u]) * vec2u(params.aStrides[k / 4u][k % 4u], params.bStrides[k / 4u][k % 4u]);
    rest = next;
  }
  //#end
  return at + rest * vec2u(params.aStrides[0][0], params.bStrides[0][0]);
}

// f of four pairs of elements, bits in and out.
fn combine(p: vec4u, q: vec4u) -> vec4u {
  let s = bitcast<vec4f>(p);
  let t = bitcast<vec4f>(q);
  // Integers in an order that unsigned comparison understands.
  let u = p ^ vec4u(params.signBit);
  let v = q ^ vec4u(params.signBit);
  var bits = p;
  var truth = vec4<bool>();
  //#if ADD && INTEGER
  bits = p + q;
  //#end
  //#if ADD && !INTEGER
  bits = bitcast<vec4u>(s + t);
  //#end
  //#if SUB && INTEGER
  bits = p - q;
  //#end
  //#if SUB && !INTEGER
  bits = bitcast<vec4u>(s - t);
  //#end
  //#if MUL && INTEGER
  bits = p * q;
  //#end
  //#if MUL && !INTEGER
  bits = bitcast<vec4u>(s * t);
  //#end
  //#if DIV
  bits = bitcast<vec4u>(s / t);
  //#end
  // NaN wins, which max and min do not promise.
  //#if MAXIMUM && INTEGER
  bits = select(q, p, u > v);
  //#end
  //#if MAXIMUM && !INTEGER
  bits = select(q, p, (s > t) | is_nan(p));
  //#end
  //#if MINIMUM && INTEGER
  bits = select(q, p, u < v);
  //#end
  //#if MINIMUM && !INTEGER
  bits = select(q, p, (s < t) | is_nan(p));
  //#end
  //#if POW
  bits = bitcast<vec4u>(power(s, t));
  //#end
  // How much of the gradient of maximum(s, t) or minimum(s, t) goes to s; equals share it.
  //#if MAXIMUM_SHARE
  bits = bitcast<vec4u>(select(select(vec4f(1.0), vec4f(0.0), s < t), vec4f(0.5), s == t));
  //#end
  //#if MINIMUM_SHARE
  bits = bitcast<vec4u>(select(select(vec4f(1.0), vec4f(0.0), s > t), vec4f(0.5), s == t));
  //#end
  // d(s^t)/ds = t s^(t - 1), and 0 for t = 0 whatever s is.
  //#if POW_BY_BASE
  bits = bitcast<vec4u>(select(t * power(s, t - 1.0), vec4f(0.0), t == vec4f(0.0)));
  //#end
  // d(s^t)/dt = s^t ln s, and 0 for s = 0 where t >= 0.
  //#if POW_BY_EXPONENT
  bits = bitcast<vec4u>(select(power(s, t) * logarithm(s), vec4f(0.0), (s == vec4f(0.0)) & (t >= vec4f(0.0))));
  //#end
  //#if EQ && INTEGER
  truth = p == q;
  //#end
  //#if EQ && !INTEGER
  truth = (s == t) & !(is_nan(p) | is_nan(q));
  //#end
  //#if NE && INTEGER
  truth = p != q;
  //#end
  //#if NE && !INTEGER
  truth = !(s == t) | is_nan(p) | is_nan(q);
  //#end
  //#if LT && INTEGER
  truth = u < v;
  //#end
  //#if LT && !INTEGER
  truth = s < t;
  //#end
  //#if LE && INTEGER
  truth = u <= v;
  //#end
  //#if LE && !INTEGER
  truth = s <= t;
  //#end
  //#if GT && INTEGER
  truth = u > v;
  //#end
  //#if GT && !INTEGER
  truth = s > t;
  //#end
  //#if GE && INTEGER
  truth = u >= v;
  //#end
  //#if GE && !INTEGER
  truth = s >= t;
  //#end
  //#if LOGICAL_AND && INTEGER
  truth = (p != vec4u(0u)) & (q != vec4u(0u));
  //#end
  //#if LOGICAL_AND && !INTEGER
  truth = ((p << vec4u(1u)) != vec4u(0u)) & ((q << vec4u(1u)) != vec4u(0u));
  //#end
  //#if LOGICAL_OR && INTEGER
  truth = (p | q) != vec4u(0u);
  //#end
  //#if LOGICAL_OR && !INTEGER
  truth = ((p | q) << vec4u(1u)) != vec4u(0u);
  //#end
  //#if EQ || NE || LT || LE || GT || GE || LOGICAL_AND || LOGICAL_OR
  bits = select(vec4u(0u), vec4u(1u), truth);
  //#end
  return bits;
}

fn is_nan(bits: vec4u) -> vec4<bool> {
  return (bits & vec4u(0x7fffffffu)) > vec4u(INFINITY);
}

// s^t as in C and torch, where WGSL's pow knows positive bases only. Whole exponents up to 64 by squaring, others as e^(t ln |s|), with a
// relative error that grows as |t ln s| · 2^-24.
fn power(s: vec4f, t: vec4f) -> vec4f {
  let size = abs(t);
  let whole = (floor(t) == t) | (size >= vec4f(8388608.0));
  let odd = whole & (size < vec4f(16777216.0)) & (abs(t - 2.0 * trunc(t * 0.5)) == vec4f(1.0));
  // e^(t ln |s|), where ln 0 = -infinity does the right thing for bases of 0 too.
  var result = exp(t * logarithm(abs(s)));
  result = select(result, -result, (s < vec4f(0.0)) & odd);
  let undefined = ((s < vec4f(0.0)) & !whole) | is_nan(bitcast<vec4u>(s)) | is_nan(bitcast<vec4u>(t));
  result = bitcast<vec4f>(select(bitcast<vec4u>(result), vec4u(NAN), undefined));
  var product = vec4f(1.0);
  var base = s;
  var rest = vec4u(min(size, vec4f(64.0)));
  for (var step = 0u; step < 7u; step++) {
    product = select(product, product * base, (rest & vec4u(1u)) == vec4u(1u));
    base *= base;
    rest >>= vec4u(1u);
  }
  product = select(product, 1.0 / product, t < vec4f(0.0));
  result = select(result, product, whole & (size <= vec4f(64.0)));
  return select(result, vec4f(1.0), s == vec4f(1.0));
}
