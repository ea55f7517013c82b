// float16 — pairs of f32 as two IEEE 754 binary16 in a word, and back: half the memory for what need not be exact.
//   pack:   words[i] = half(x[2i]) | half(x[2i + 1]) << 16, rounded to the nearest, ties to even, beyond 65,520 to infinity
//   unpack: exact
// In integers, since WGSL leaves the rounding of pack2x16float and the fate of subnormals to the driver: the same bits everywhere.
// Everything dense. Dispatch: ceil(words / 64) workgroups, folded into x and y.

struct Params {
  words: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read> packed: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec2u>;

// Shifts right and rounds to the nearest, ties to even.
fn rounded_shift(value: u32, places: u32) -> u32 {
  let odd = (value >> places) & 1u;
  return (value + (1u << (places - 1u)) - 1u + odd) >> places;
}

fn half(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return sign | 0x7e00u; }                               // NaN
  if (size >= 0x47800000u) { return sign | 0x7c00u; }                              // 65,536 and beyond, infinity
  if (size >= 0x38800000u) { return sign | rounded_shift(size - 0x38000000u, 13u); } // from 2^-14: exponent less 112, 10 bits of fraction
  let places = 126u - (size >> 23u);                                               // subnormal: a multiple of 2^-24
  if (places > 24u) { return sign; }
  return sign | rounded_shift((size & 0x7fffffu) | 0x800000u, places);
}

fn widened(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let size = bits & 0x7fffu;
  if (size >= 0x7c00u) { return sign | 0x7f800000u | ((size & 0x3ffu) << 13u); }
  if (size >= 0x400u) { return sign | ((size << 13u) + 0x38000000u); }
  if (size == 0u) { return sign; }
  let places = firstLeadingBit(size);                                              // subnormal: size · 2^-24
  return sign | ((places + 103u) << 23u) | ((size << (23u - places)) & 0x7fffffu);
}

@compute @workgroup_size(64)
fn pack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.words) { return; }
  words[i] = half(x[i].x) | (half(x[i].y) << 16u);
}

@compute @workgroup_size(64)
fn unpack(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.words) { return; }
  y[i] = vec2u(widened(packed[i] & 0xffffu), widened(packed[i] >> 16u));
}
