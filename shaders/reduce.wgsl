// reduce — folds axes of a strided tensor: out[o] = finish(fold over r of map(x[o, r])).
// x is indexed by `outputs` kept and `length` reduced elements, each an iteration space of its own with shape and strides (in elements).
// The reduced range is cut into `splits` stretches of `chunk` elements; with more than one, out is [splits, outputs] and another dispatch folds
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
const ORDER = 0u; //#param
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
const MAP_PLACE = 8u; // ~r where x has the key `reference`, else 0
const MAP_EQUALS = 9u; // 1 where x = reference
const MAP_TRUTH = 10u; // 1 where x ≠ 0; turned round where the least is wanted

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

const IS_I32 = (ORDER & 1u) != 0u;
const IS_F32 = (ORDER & 3u) == 0u; // else integers
const WANTS_LEAST = (ORDER & 4u) != 0u;
const WANTS_ABS = (ORDER & 8u) != 0u;

struct Params {
  outputs: u32,
  length: u32,
  splits: u32,
  chunk: u32,
  offset: u32,
  keptRank: u32,
  reducedRank: u32,
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
  var bits = select(given, given & 0x7fffffffu, WANTS_ABS);
  if (IS_F32) {
    bits = select(bits, 0u, bits == 0x80000000u);
    bits ^= select(0x80000000u, 0xffffffffu, bits >= 0x80000000u);
  } else if (IS_I32) {
    bits ^= 0x80000000u;
  }
  return select(select(bits, ~bits, WANTS_LEAST), 0xffffffffu, IS_F32 && is_nan(given));
}

/** What a key stands for; 0 is no key of an f32, but the fold of nothing. */
fn value_of_key(given: u32) -> u32 {
  let bits = select(given, ~given, WANTS_LEAST);
  if (IS_I32) { return bits ^ 0x80000000u; }
  if (!IS_F32) { return bits; }
  let value = bits ^ select(0xffffffffu, 0x80000000u, bits >= 0x80000000u);
  let of_nothing = select(select(0xff800000u, 0x7f800000u, WANTS_LEAST), 0u, WANTS_ABS);
  return select(select(value, of_nothing, given == 0u), 0x7fc00000u, given == 0xffffffffu);
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
  if (MAP == MAP_EQUALS) { return select(0u, 1u, select(v, abs(v), WANTS_ABS) == bitcast<f32>(against)); }
  if (MAP == MAP_TRUTH) {
    let is_zero = bits == 0u || (IS_F32 && bits == 0x80000000u);
    return select(0u, 1u, is_zero == WANTS_LEAST);
  }
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

/** Where element r lies from its output's first. */
fn place_of(r: u32) -> u32 {
  if (FLAT) { return r * params.reducedStrides[0][0]; }
  var rest = r;
  var place = 0u;
  for (var axis = params.reducedRank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.reducedShape[a / 4u][a % 4u];
    place += (rest % n) * params.reducedStrides[a / 4u][a % 4u];
    rest /= n;
  }
  return place + rest * params.reducedStrides[0][0];
}

/** The element r, or what changes nothing beyond the end: read anyway and dropped, for a branch costs more. */
fn element(base: u32, r: u32, end: u32, against: u32) -> u32 {
  return select(identity(), mapped(x[base + place_of(min(r, end - 1u))], r, against), r < end);
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
