// where — chooses between two elements by a condition, with broadcasting.
//   vectors:  out[i] = condition[i] ? a[i] : b[i], all dense and of one shape; four elements an invocation
//   elements: the same for any layout, one element an invocation
// Elements are 4 bytes of any dtype, moved as bits; the condition is 0 or 1 in a u32. With A_NUMBER or B_NUMBER that operand is the
// parameter `number` instead of an array. Shapes and strides come collapsed (at most 8 axes), in elements; strides of 0 broadcast.
// What the last vector holds beyond the data is chosen too and lands in the padding of the output's memory.
// Dispatch: ceil(size / 256) or ceil(size / 64) workgroups, folded into x and y.

const A_NUMBER = false; //#param
const B_NUMBER = false; //#param

struct Params {
  // Elements of the output.
  size: u32,
  rank: u32,
  conditionOffset: u32,
  aOffset: u32,
  bOffset: u32,
  number: u32,
  shape: array<vec4u, 2>,
  conditionStrides: array<vec4u, 2>,
  aStrides: array<vec4u, 2>,
  bStrides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(2) var<storage, read> condition4: array<vec4u>;
@group(0) @binding(3) var<storage, read> a4: array<vec4u>;
@group(0) @binding(4) var<storage, read> b4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> condition: array<u32>;
@group(0) @binding(3) var<storage, read> a: array<u32>;
@group(0) @binding(4) var<storage, read> b: array<u32>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

const j = 0u; //#loop

// Where the operands of the output's element i lie: an axis a step from the last one on. Spelled out, since software adapters are slow to
// index parameters by a variable.
fn places(i: u32) -> vec3u {
  var rest = i;
  var at = vec3u(params.conditionOffset, params.aOffset, params.bOffset);
  //#for j in 0..8
  if (params.rank > 7u - j) {
    const k = 7u - j;
    let next = rest / params.shape[k / 4u][k % 4u];
    let strides = vec3u(params.conditionStrides[k / 4u][k % 4u], params.aStrides[k / 4u][k % 4u], params.bStrides[k / 4u][k % 4u]);
    at += (rest - next * params.shape[k / 4u][k % 4u]) * strides;
    rest = next;
  }
  //#end
  return at;
}

@compute @workgroup_size(64)
fn vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (4u * i >= params.size) { return; }
  var p = vec4u(params.number);
  var q = p;
  //#if !A_NUMBER
  p = a4[i];
  //#end
  //#if !B_NUMBER
  q = b4[i];
  //#end
  out4[i] = select(q, p, condition4[i] != vec4u(0u));
}

@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  let at = places(i);
  var p = params.number;
  var q = params.number;
  //#if !A_NUMBER
  p = a[at.y];
  //#end
  //#if !B_NUMBER
  q = b[at.z];
  //#end
  out[i] = select(q, p, condition[at.x] != 0u);
}
