// Generated from shaders/*.wgsl by scripts/gen_shaders.mjs; edit the WGSL and run `pnpm shaders`.

/** The WGSL source of every kernel family, by the name of its file. */
export const shaders = {
  copy: `// copy — moves and fills elements between strided layouts.
// Elements are 4 bytes of any dtype, moved as bits. Shapes and strides come collapsed (at most 8 axes), in elements.
//   strided:  destination[i…] = source[i…]   for every index of \`shape\`
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

@compute @workgroup_size(64)
fn strided(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var place = params.destinationOffset;
  var origin = params.sourceOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.destinationStrides[a / 4u][a % 4u];
    origin += at * params.sourceStrides[a / 4u][a % 4u];
  }
  destination[place] = source[origin];
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
  var rest = i;
  var place = params.destinationOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    place += (rest % n) * params.destinationStrides[a / 4u][a % 4u];
    rest /= n;
  }
  destination[place] = params.value;
}
`,
} as const;

/** The name of a file in `shaders/`, without its ending. */
export type ShaderName = keyof typeof shaders;
