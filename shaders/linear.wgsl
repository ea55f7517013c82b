// linear — what a linear layer's gradient needs besides matrix products.
//   gelu_gradient: dPre = dOut · gelu'(pre), elementwise over `size` elements, all dense; gelu in its tanh form
// Four elements an invocation. Dispatch: ceil(size / 256) workgroups, folded into x and y.
// With s = sigmoid(2u), u = √(2/π)·(x + 0.044715 x³): gelu = x·s and gelu' = s + x·s·(1 − s)·2u'.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pre: array<vec4f>;
@group(0) @binding(2) var<storage, read> dOut: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dPre: array<vec4f>;

@compute @workgroup_size(64)
fn gelu_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i * 4u >= params.size) { return; }
  let x = pre[i];
  let s = 1.0 / (1.0 + exp(clamp(-1.5957691216057308 * (x + 0.044715 * x * x * x), vec4f(-60.0), vec4f(60.0))));
  var slope = s + x * s * (1.0 - s) * 1.5957691216057308 * (1.0 + 0.134145 * x * x);
  // Beyond ±10 the slope is 1 or 0 to the last bit, while x³ could overflow. A NaN takes neither branch.
  slope = select(slope, vec4f(1.0), x > vec4f(10.0));
  slope = select(slope, vec4f(0.0), x < vec4f(-10.0));
  dPre[i] = dOut[i] * slope;
}
