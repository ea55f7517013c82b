// cumsum — running sums along one axis of a strided tensor, forwards or from the end.
//   totals: total[row, block] = Σ of the block's elements
//   scan:   y[row, r] = x[row, 0] + … + x[row, r]; a block starts from the sum up to its end of the block before it, `before[row, block − 1]`
// A row is `length` elements along the axis, cut into `blocks` of `chunk`. Rows are counted over `shape` (the other axes, collapsed), with
// strides in x and in the dense result y; elements of a row lie `inputStep` and `step` apart. REVERSE counts r from the end.
// Sums are of f32, or of integers (INTEGER), which travel as bits.
// Dispatch: one invocation per row and block, in workgroups of 64, folded into x and y.

const INTEGER = false; //#param
const BLOCKS = true; //#param

struct Params {
  rows: u32,
  length: u32,
  blocks: u32,
  chunk: u32,
  reverse: u32,
  rank: u32,
  inputOffset: u32,
  inputStep: u32,
  step: u32,
  shape: array<vec4u, 2>,
  inputStrides: array<vec4u, 2>,
  strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
@group(0) @binding(3) var<storage, read> before: array<u32>;

fn add(a: u32, b: u32) -> u32 {
  if (INTEGER) { return a + b; }
  return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b));
}

/** Where a row begins, in x and in y. */
fn row_start(row: u32) -> vec2u {
  var rest = row;
  var start = vec2u(params.inputOffset, 0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let a = axis - 1u;
    let n = params.shape[a / 4u][a % 4u];
    start += (rest % n) * vec2u(params.inputStrides[a / 4u][a % 4u], params.strides[a / 4u][a % 4u]);
    rest /= n;
  }
  return start + rest * vec2u(params.inputStrides[0][0], params.strides[0][0]);
}

fn place(r: u32) -> u32 {
  return select(r, params.length - 1u - r, params.reverse != 0u);
}

@compute @workgroup_size(64)
fn totals(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.rows * params.blocks) { return; }
  let row = i % params.rows;
  let block = i / params.rows;
  let start = row_start(row).x;
  let end = min((block + 1u) * params.chunk, params.length);
  var sum = 0u;
  for (var r = block * params.chunk; r < end; r++) { sum = add(sum, x[start + place(r) * params.inputStep]); }
  total[row * params.blocks + block] = sum;
}

fn sum_before(row: u32, block: u32) -> u32 {
  //#if BLOCKS
  if (block > 0u) { return before[row * params.blocks + block - 1u]; }
  //#end
  return 0u;
}

@compute @workgroup_size(64)
fn scan(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.rows * params.blocks) { return; }
  let row = i % params.rows;
  let block = i / params.rows;
  let start = row_start(row);
  let end = min((block + 1u) * params.chunk, params.length);
  let earlier = sum_before(row, block);
  var sum = 0u; // of this block alone: added to the much greater sum before it only once an element, it keeps its digits
  for (var r = block * params.chunk; r < end; r++) {
    sum = add(sum, x[start.x + place(r) * params.inputStep]);
    y[start.y + place(r) * params.step] = add(earlier, sum);
  }
}
