// Bits of floats.
const ONE = 0x3f800000u;
const INFINITY = 0x7f800000u;
const NAN = 0x7fc00000u;

// ln v after musl's logf: v = 2^k (1 + f) with 1 + f in [√½, √2), then ln(1 + f) by a polynomial in (f / (2 + f))².
fn logarithm(v: vec4f) -> vec4f {
  let subnormal = v < vec4f(1.1754943508222875e-38);
  let scaled = select(v, v * 33554432.0, subnormal);
  let shifted = bitcast<vec4u>(scaled) + (ONE - 0x3f3504f3u);
  let k = vec4f(bitcast<vec4i>(shifted >> vec4u(23u)) - 127) - select(vec4f(0.0), vec4f(25.0), subnormal);
  let f = bitcast<vec4f>((shifted & vec4u(0x007fffffu)) + 0x3f3504f3u) - 1.0;
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let half = 0.5 * f * f;
  let finite = (s * (half + r) + k * 9.0580006145e-6 - half) + f + k * 0.69313812256;
  // Above the largest finite number (infinity, NaN) the argument itself; 0 gives -infinity, negative numbers NaN.
  var bits = select(bitcast<vec4u>(finite), bitcast<vec4u>(v), bitcast<vec4u>(v) >= vec4u(INFINITY));
  bits = select(bits, vec4u(NAN), v < vec4f(0.0));
  bits = select(bits, vec4u(INFINITY | 0x80000000u), v == vec4f(0.0));
  return bitcast<vec4f>(bits);
}
