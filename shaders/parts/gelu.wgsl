// GELU in its tanh form (Hendrycks and Gimpel, arXiv 1606.08415): with u = √(2/π)·(x + 0.044715 x³), 0.5·x·(1 + tanh u) is
// x / (1 + exp(−2u)). The clamp keeps exp finite.
fn gelu_divisor(v: f32) -> f32 {
  return 1.0 + exp(clamp(-1.5957691216057308 * (v + 0.044715 * v * v * v), -60.0, 60.0));
}

// Below −10 that is less than 1e-36, and a NaN takes no branch.
fn gelu(v: f32) -> f32 {
  return select(v / gelu_divisor(v), 0.0, v < -10.0);
}

// With s = 1 / (1 + exp(−2u)): s + x·s·(1 − s)·2u'. Beyond ±10 it is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither
// branch.
fn gelu_slope(v: f32) -> f32 {
  let s = 1.0 / gelu_divisor(v);
  let slope = s + v * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * v * v);
  return select(select(slope, 1.0, v > 10.0), 0.0, v < -10.0);
}
