// mse_loss — (a − b)² of dense a and b, its sum in parts, and its gradient. Four elements a step; the last step's rest counts for nothing.
//   elements: loss[i] = (a[i] − b[i])²
//   parts:    part[t] = Σ (a − b)² over the steps t, t + parts, t + 2 · parts, …
//   backward: da[i] = scale · (a[i] − b[i]) · slope (PER_ELEMENT: slope[i])
// Dispatch: one invocation a step (elements, backward) or a part (parts), in workgroups of 64, folded into x and y.

const PER_ELEMENT = false; //#param

struct Params {
  size: u32,
  parts: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> loss: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> part: array<f32>;
@group(0) @binding(3) var<storage, read_write> da: array<vec4f>;
@group(0) @binding(4) var<storage, read> slope: array<f32>;
@group(0) @binding(4) var<storage, read> slope4: array<vec4f>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (4u * i >= params.size) { return; }
  let d = a[i] - b[i];
  loss[i] = d * d;
}

@compute @workgroup_size(64)
fn parts(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let t = linear_index(id, groups);
  if (t >= params.parts) { return; }
  var sum = vec4f();
  for (var i = t; 4u * i < params.size; i += params.parts) {
    let d = a[i] - b[i];
    let inside = 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.size);
    sum += select(vec4f(), d * d, inside);
  }
  part[t] = (sum.x + sum.y) + (sum.z + sum.w);
}

fn slope_at(i: u32) -> vec4f {
  //#if PER_ELEMENT
  //| return slope4[i];
  //#else
  return vec4f(slope[0]);
  //#end
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (4u * i >= params.size) { return; }
  da[i] = params.scale * (a[i] - b[i]) * slope_at(i);
}
