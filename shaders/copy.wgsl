// copy — moves and fills elements between strided layouts.
// Elements are 4 bytes of any dtype, moved as bits. Shapes and strides come collapsed (at most 8 axes), in elements.
//   strided:  destination[i…] = source[i…]   for every index of `shape`
//   strided4: the same where all is counted in vec4s: size, shape, strides and offsets
//   straight: destination[i] = source[i]     both dense; four elements an invocation
//   fill:     destination[i…] = value
// Dispatch: ceil(size / 64) workgroups (straight: size / 256), folded into x and y.

struct Params {
  size: u32,
  rank: u32,
  destinationOffset: u32,
  sourceOffset: u32,
  shape: array<vec4u, 2>,
  destinationStrides: array<vec4u, 2>,
  sourceStrides: array<vec4u, 2>,
  value: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> destination: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> destination4: array<vec4u>;
@group(0) @binding(2) var<storage, read> source4: array<vec4u>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

const j = 0u; //#loop

// Where element i of `shape` lies in destination and source: an axis a step from the last one on. Spelled out, since software adapters
// are slow to index parameters by a variable.
fn places(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(params.destinationOffset, params.sourceOffset);
  //#for j in 0..8
  if (params.rank > 7u - j) {
    const k = 7u - j;
    let next = rest / params.shape[k / 4u][k % 4u];
    at += (rest - next * params.shape[k / 4u][k % 4u]) * vec2u(params.destinationStrides[k / 4u][k % 4u], params.sourceStrides[k / 4u][k % 4u]);
    rest = next;
  }
  //#end
  return at;
}

@compute @workgroup_size(64)
fn strided(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let at = places(i);
  destination[at.x] = source[at.y];
}

@compute @workgroup_size(64)
fn strided4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let at = places(i);
  destination4[at.x] = source4[at.y];
}

@compute @workgroup_size(64)
fn straight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i * 4u + 4u <= params.size) {
    destination4[i] = source4[i];
  } else {
    for (var k = 0u; i * 4u + k < params.size; k++) { destination4[i][k] = source4[i][k]; }
  }
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  destination[places(i).x] = params.value;
}
