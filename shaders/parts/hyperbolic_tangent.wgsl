// After Cephes: x + x³ P(x²) near 0, else 1 - 2 / (e^2|x| + 1). Arguments beyond ±15 would overflow e^2|x| and are 1 anyway.
fn hyperbolic_tangent(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(15.0));
  let z = v * v;
  var near = -5.70498872745e-3 * z + 2.06390887954e-2;
  near = near * z - 5.37397155531e-2;
  near = near * z + 1.33314422036e-1;
  near = near * z - 3.33332819422e-1;
  near = near * z * v + v;
  let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  let out = select(select(far, -far, v < vec4f(0.0)), near, a < vec4f(0.625));
  return select(out, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
