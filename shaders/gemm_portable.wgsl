// gemm_portable — C = A·B in plain registers: no subgroups, no workgroup memory.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets, so transposed, sliced and broadcast operands need no copy
//   out [split, batch, M, N]: row stride `outRow`; with one split the result, else partial sums over stretches of k for gemm_reduce
// Epilogue (one split only): out = activation(C + bias[column]) + residual[batch, row, column].
//   GELU: the activation is GELU's tanh form, and its slope goes to `slopes`, laid out like `out`.
//   TIMES: the activation is multiplication by `times`, laid out like `out`: the gradient's way back through GELU.
//   ROW_SUMS: also Σ_k A[row, k], written behind the matrix (the bias gradient, where A is the transposed gradient of an output).
// An invocation computes 8 rows × 4 columns; k runs in order, so results do not depend on the tile or on the neighbours.
// Rows and columns beyond the edge repeat the last one and are not stored: every load is of an element of the operand.
// Dispatch: one workgroup of 64 for every 64 blocks, folded into x and y. Columns run fastest, then rows, batches, splits.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  aOffset: u32,
  aRow: u32,
  aColumn: u32,
  bOffset: u32,
  bRow: u32,
  bColumn: u32,
  outRow: u32,
  outSlice: u32, // elements from one split's output to the next one's
  rowSumsOffset: u32,
  splits: u32,
  splitLength: u32, // stretch of k that a split covers
  batches: u32,
  batchRank: u32,
  hasBias: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
  batchShape: array<vec4u, 2>,
  aBatch: array<vec4u, 2>,
  bBatch: array<vec4u, 2>,
}

const GELU = false; //#param
const TIMES = false; //#param
const ROW_SUMS = false; //#param
const q = 0u; //#loop
const c = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
//#if GELU
@group(0) @binding(6) var<storage, read_write> slopes: array<f32>;
//#end
//#if TIMES
@group(0) @binding(7) var<storage, read> times: array<f32>;
//#end

//#include gelu

// Where a batch's operands begin.
fn batch_offsets(batch: u32) -> vec2u {
  var rest = batch;
  var offsets = vec2u(params.aOffset, params.bOffset);
  for (var axis = params.batchRank; axis > 0u; axis--) {
    let i = axis - 1u;
    let n = params.batchShape[i / 4u][i % 4u];
    offsets += (rest % n) * vec2u(params.aBatch[i / 4u][i % 4u], params.bBatch[i / 4u][i % 4u]);
    rest /= n;
  }
  return offsets;
}

// `sliceRow` counts rows over all batches.
fn store(sum: f32, place: u32, sliceRow: u32, column: u32) {
  var value = sum;
  if (params.hasBias != 0u) { value += bias[column]; }
  //#if GELU
  slopes[place] = gelu_slope(value);
  value = gelu(value);
  //#end
  //#if TIMES
  value *= times[place];
  //#end
  if (params.hasResidual != 0u) { value += residual[params.residualOffset + sliceRow * params.residualRow + column]; }
  out[place] = value;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = id.x + id.y * groups.x * 64u;
  let columnBlocks = (params.n + 3u) / 4u;
  let rowBlocks = (params.m + 7u) / 8u;
  let slice = block / columnBlocks / rowBlocks;
  if (slice >= params.batches * params.splits) { return; }
  let batch = slice % params.batches;
  let split = slice / params.batches;
  let column = 4u * (block % columnBlocks);
  let row = 8u * (block / columnBlocks % rowBlocks);
  let first = split * params.splitLength;
  let last = min(params.k, first + params.splitLength);

  let start = batch_offsets(batch);
  //#for q in 0..8
  var a__q = start.x + min(row + q, params.m - 1u) * params.aRow + first * params.aColumn;
  var sum__q = vec4f();
  var rowSum__q = 0.0;
  //#end
  //#for c in 0..4
  var b__c = start.y + min(column + c, params.n - 1u) * params.bColumn + first * params.bRow;
  //#end
  for (var k = first; k < last; k++) {
    var y = vec4f();
    //#for c in 0..4
    y[c] = b[b__c];
    b__c += params.bRow;
    //#end
    //#for q in 0..8
    let x__q = a[a__q];
    a__q += params.aColumn;
    sum__q = fma(vec4f(x__q), y, sum__q);
    //#if ROW_SUMS
    rowSum__q += x__q;
    //#end
    //#end
  }

  // In a loop, from an array that only the loop indexes: short to compile, and the sums above stay in registers.
  var sums: array<vec4f, 8>;
  //#for q in 0..8
  sums[q] = sum__q;
  //#end
  let out0 = split * params.outSlice;
  for (var r = 0u; r < min(8u, params.m - row); r++) {
    let sliceRow = batch * params.m + row + r;
    let place = out0 + sliceRow * params.outRow + column;
    for (var c = 0u; c < min(4u, params.n - column); c++) { store(sums[r][c], place + c, sliceRow, column + c); }
  }
  //#if ROW_SUMS
  if (column == 0u) {
    //#for q in 0..8
    if (row + q < params.m) { out[out0 + params.rowSumsOffset + batch * params.m + row + q] = rowSum__q; }
    //#end
  }
  //#end
}
