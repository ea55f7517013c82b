// gather — single elements read or written where an index says, along one axis.
// Elements are 4 bytes of any dtype, moved as bits; `index` holds i32 or u32, read as u32, so that negative ones are out of range. Strided
// operands are bound from the start of their storage and walked by strides, in elements; the axis has stride 0 in `strides` of the operand
// that the index points into, and `axisStride` there.
//   pick:         out[i…] = table[…, index[i…], …], `missing` where the index is out of range; out is dense
//   put:          out[…, index[i…], …] = source[i…], each place at most once; the rest of out is left as it is
//   sum_by_scan:  out[i…] = Σ source[…, j, …] over the j along the axis with index[…, j, …] = i, by looking at every j; f32
//   destinations: keys[i…] = the place of out's element […, index[i…], …] in row-major order, `limit` where the index is out of range
// Dispatch: ceil(size / 64) workgroups, folded into x and y; size counts index's elements, out's for sum_by_scan.

struct Params {
  size: u32,
  rank: u32,
  axisSize: u32,
  axisStride: u32,
  offset: u32,
  indexOffset: u32,
  sourceOffset: u32,
  missing: u32,
  limit: u32,
  // For sum_by_scan: which axis, how many places the index has along it, and the steps between them.
  axis: u32,
  indexCount: u32,
  indexStep: u32,
  sourceStep: u32,
  shape: array<vec4u, 2>,
  strides: array<vec4u, 2>,
  indexStrides: array<vec4u, 2>,
  sourceStrides: array<vec4u, 2>,
  // For sum_by_scan: sizes of the index.
  indexShape: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var origin = params.offset;
  var pointer = params.indexOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    origin += at * params.strides[a / 4u][a % 4u];
    pointer += at * params.indexStrides[a / 4u][a % 4u];
  }
  let chosen = index[pointer];
  if (chosen < params.axisSize) {
    out[i] = table[origin + chosen * params.axisStride];
  } else {
    out[i] = params.missing;
  }
}

@compute @workgroup_size(64)
fn put(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var place = params.offset;
  var pointer = params.indexOffset;
  var origin = params.sourceOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.strides[a / 4u][a % 4u];
    pointer += at * params.indexStrides[a / 4u][a % 4u];
    origin += at * params.sourceStrides[a / 4u][a % 4u];
  }
  let chosen = index[pointer];
  if (chosen < params.axisSize) { out[place + chosen * params.axisStride] = source[origin]; }
}

@compute @workgroup_size(64)
fn destinations(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var place = 0u;
  var pointer = params.indexOffset;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    place += at * params.strides[a / 4u][a % 4u];
    pointer += at * params.indexStrides[a / 4u][a % 4u];
  }
  let chosen = index[pointer];
  if (chosen < params.axisSize) {
    keys[i] = place + chosen * params.axisStride;
  } else {
    keys[i] = params.limit;
  }
}

@compute @workgroup_size(64)
fn sum_by_scan(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups);
  if (i >= params.size) { return; }
  var rest = i;
  var pointer = params.indexOffset;
  var origin = params.sourceOffset;
  var wanted = 0u;
  var inside = true;
  for (var axis = params.rank; axis > 0u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    let at = rest % n;
    rest /= n;
    if (a == params.axis) {
      wanted = at;
    } else {
      inside = inside && at < params.indexShape[a / 4u][a % 4u];
      pointer += at * params.indexStrides[a / 4u][a % 4u];
      origin += at * params.sourceStrides[a / 4u][a % 4u];
    }
  }
  var sum = 0.0;
  if (inside) {
    for (var j = 0u; j < params.indexCount; j++) {
      if (index[pointer + j * params.indexStep] == wanted) { sum += bitcast<f32>(source[origin + j * params.sourceStep]); }
    }
  }
  out[i] = bitcast<u32>(sum);
}
