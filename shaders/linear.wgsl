// linear — what a linear layer's gradient needs besides matrix products.
//   gelu_gradient: dPre = dOut · gelu'(pre), elementwise over `size` elements, all dense; gelu in its tanh form
// Four elements an invocation. Dispatch: ceil(size / 256) workgroups, folded into x and y.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pre: array<vec4f>;
@group(0) @binding(2) var<storage, read> dOut: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dPre: array<vec4f>;

//#include gelu

@compute @workgroup_size(64)
fn gelu_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i * 4u >= params.size) { return; }
  let x = pre[i];
  let slope = vec4f(gelu_slope(x.x), gelu_slope(x.y), gelu_slope(x.z), gelu_slope(x.w));
  dPre[i] = dOut[i] * slope;
}
