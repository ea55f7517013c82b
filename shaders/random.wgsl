// random — random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). One block of four words an invocation: element i is lane i % 4 of the block with counter offset + i / 4, a 64-bit number.
//   fill_uniform:   out[i] in [low, high)
//   fill_normal:    out[i] standard normal, by Box and Muller from the lane's pair of words
//   fill_integers:  out[i] in first … first + count - 1, the upper half of word · count
//   fill_bernoulli: out[i] = 1 with the probability, else 0
//   choose:         out[row] = a place of p[row, :] with probability proportional to what stands there: the first where the running sum
//                   exceeds uniform number `row` times the whole sum
// out: dense, written in whole vectors (the last one's surplus lands in the padding of its memory).
// Dispatch: ceil(vectors / 64) workgroups, folded into x and y; `choose`: one workgroup a row, likewise folded.

struct Params {
  vectors: u32,
  keyLow: u32,
  keyHigh: u32,
  offsetLow: u32,
  offsetHigh: u32,
  low: f32,
  high: f32,
  probability: f32,
  first: u32,
  count: u32,
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> words4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn fill_uniform(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let value = params.low + (params.high - params.low) * unit(block(i));
  // Rounding may reach `high`, which is excluded.
  out4[i] = select(value, vec4f(params.low), value >= vec4f(params.high));
}

@compute @workgroup_size(64)
fn fill_normal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let u = unit(block(i));
  out4[i] = vec4f(box_muller(u.xy), box_muller(u.zw));
}

@compute @workgroup_size(64)
fn fill_integers(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  let w = block(i);
  let n = params.count;
  let upper = vec4u(multiply(w.x, n).y, multiply(w.y, n).y, multiply(w.z, n).y, multiply(w.w, n).y);
  words4[i] = vec4u(params.first) + upper;
}

@compute @workgroup_size(64)
fn fill_bernoulli(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.vectors) { return; }
  out4[i] = select(vec4f(0.0), vec4f(1.0), unit(block(i)) < vec4f(params.probability));
}

// First the sum of each invocation's run of columns, then the sum of everything before it, and of everything.
var<workgroup> sums: array<f32, 65>;

@compute @workgroup_size(64)
fn choose(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  let length = (params.columns + 63u) / 64u;
  let start = min(lane * length, params.columns);
  let end = select(start, min(start + length, params.columns), row < params.rows);
  let base = row * params.columns;
  var run = 0.0;
  for (var c = start; c < end; c++) { run += p[base + c]; }
  sums[lane + 1u] = run;
  workgroupBarrier();
  if (lane == 0u) {
    sums[0] = 0.0;
    for (var k = 1u; k <= 64u; k++) { sums[k] += sums[k - 1u]; }
  }
  workgroupBarrier();
  let total = sums[64];
  let before = sums[lane];
  let threshold = unit(block(row / 4u))[row % 4u] * total;
  // The sums never fall, so this holds for one invocation. It adds its run up again in the same order.
  if (before <= threshold && threshold < sums[lane + 1u]) {
    var chosen = start;
    run = 0.0;
    for (var c = start; c < end; c++) {
      let weight = p[base + c];
      run += weight;
      if (weight > 0.0) { chosen = c; }
      if (before + run > threshold) { break; }
    }
    out[row] = chosen;
  }
  // Nothing to choose from.
  if (lane == 0u && row < params.rows && !(total > 0.0)) { out[row] = params.columns - 1u; }
}

// Uniform in [0, 1): 24 bits, which f32 holds exactly.
fn unit(words: vec4u) -> vec4f {
  return vec4f(words >> vec4u(8u)) * 5.9604644775390625e-8;
}

// Two standard normals from two uniforms in [0, 1).
fn box_muller(u: vec2f) -> vec2f {
  let radius = sqrt(-2.0 * logarithm(1.0 - u.x));
  return radius * circle(u.y);
}

// ln v of a normal number, after musl's logf: v = 2^k (1 + f) with 1 + f in [√½, √2), then ln(1 + f) by a polynomial in (f / (2 + f))².
// WGSL's own log promises too few digits near 1.
fn logarithm(v: f32) -> f32 {
  let shifted = bitcast<u32>(v) + (0x3f800000u - 0x3f3504f3u);
  let k = f32(i32(shifted >> 23u) - 127);
  let f = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let half = 0.5 * f * f;
  return (s * (half + r) + k * 9.0580006145e-6 - half) + f + k * 0.69313812256;
}

// Cosine and sine of turns · 2π for turns in [0, 1): the quarter turn is taken off exactly, the rest after Cephes.
fn circle(turns: f32) -> vec2f {
  let quarter = floor(turns * 4.0 + 0.5);
  let r = (turns * 4.0 - quarter) * 1.5707963267948966;
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  switch (u32(quarter) % 4u) {
    case 0u: { return vec2f(c, s); }
    case 1u: { return vec2f(-s, c); }
    case 2u: { return vec2f(-c, -s); }
    default: { return vec2f(s, -c); }
  }
}

// The four words of the block that an index selects.
fn block(i: u32) -> vec4u {
  let low = params.offsetLow + i;
  var c = vec4u(low, params.offsetHigh + select(0u, 1u, low < i), 0u, 0u);
  var k = vec2u(params.keyLow, params.keyHigh);
  for (var round = 0u; round < 10u; round++) {
    let p0 = multiply(0xd2511f53u, c.x);
    let p1 = multiply(0xcd9e8d57u, c.z);
    c = vec4u(p1.y ^ c.y ^ k.x, p1.x, p0.y ^ c.w ^ k.y, p0.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u); // the golden ratio and √3 - 1
  }
  return c;
}

// The 64-bit product of two words, lower half first: by halves of words, for WGSL has no wider integers.
fn multiply(a: u32, b: u32) -> vec2u {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let high = ah * bh + (middle >> 16u) + ((al * bh + (middle & 0xffffu)) >> 16u);
  return vec2u(a * b, high);
}
