// gemm_tile — C = A·B for GPUs: tiles in workgroup memory.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets; the parameters tell how to load them well
//   out [split, batch, M, N], the epilogue (GELU, TIMES) and ROW_SUMS: as in gemm_portable
// 16 × 16 invocations compute 16·TM rows × 64 columns, TM × 4 each, in steps of 16 along k. While a step is computed the next one's operands are
// on their way from memory. Beyond the edges of the matrices tiles are filled with zeros.
// Operands are loaded and kept as vec4 along the axis that neighbours in memory:
//   A_ALONG_K, B_ALONG_K: that axis is k (a row-major, b transposed), else rows of A or columns of B
//   VEC: vec4 loads; needs stride 1 along that axis, and every other stride and the offsets multiples of 4, for both operands
// A tile along k is [row][k / 4], padded to 5 vec4 a row and read at a distance of 16 rows, so that lanes meet different banks; the other
// kind is [k][row / 4].
// Preconditions: TM is 2, 4 or 8; a multiple of 4 without A_ALONG_K; 4 with ROW_SUMS. `splitLength` is a multiple of 16.
// Dispatch: a workgroup for every tile × batch × split, folded into x and y; columns run fastest.

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

const TM = 4u; //#param
const A_ALONG_K = true; //#param
const B_ALONG_K = true; //#param
const VEC = false; //#param
const GELU = false; //#param
const TIMES = false; //#param
const ROW_SUMS = false; //#param
const i = 0u; //#loop
const r = 0u; //#loop
const c = 0u; //#loop
const e = 0u; //#loop

const ROWS = 16u * TM;
const COLUMNS = 64u;
const STEP = 16u;
const PADDED = 5u;

@group(0) @binding(0) var<uniform> params: Params;
//#if VEC
//| @group(0) @binding(1) var<storage, read> a4: array<vec4f>;
//| @group(0) @binding(2) var<storage, read> b4: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
//#end
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

var<workgroup> tileA: array<vec4f, ROWS * PADDED>;
var<workgroup> tileB: array<vec4f, COLUMNS * PADDED>;
//#if ROW_SUMS
var<workgroup> rowSums: array<vec4f, 256>;
//#end

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

// Four elements along the operand's axis from (row, k), zeros beyond the edges.
fn load_a(start: u32, row: u32, k: u32, endK: u32) -> vec4f {
  let place = start + row * params.aRow + k * params.aColumn;
  let four = vec4u(0u, 1u, 2u, 3u);
  //#if A_ALONG_K
  let isInside = (k + four < vec4u(endK)) & vec4<bool>(row < params.m);
  let places = place + params.aColumn * four;
  //#else
  //| let isInside = (row + four < vec4u(params.m)) & vec4<bool>(k < endK);
  //| let places = place + params.aRow * four;
  //#end
  //#if VEC
  //| let value = a4[select(0u, place / 4u, isInside.x)];
  //#else
  let safe = select(vec4u(start), places, isInside);
  let value = vec4f(a[safe.x], a[safe.y], a[safe.z], a[safe.w]);
  //#end
  return select(vec4f(), value, isInside);
}

fn load_b(start: u32, k: u32, column: u32, endK: u32) -> vec4f {
  let place = start + k * params.bRow + column * params.bColumn;
  let four = vec4u(0u, 1u, 2u, 3u);
  //#if B_ALONG_K
  let isInside = (k + four < vec4u(endK)) & vec4<bool>(column < params.n);
  let places = place + params.bRow * four;
  //#else
  //| let isInside = (column + four < vec4u(params.n)) & vec4<bool>(k < endK);
  //| let places = place + params.bColumn * four;
  //#end
  //#if VEC
  //| let value = b4[select(0u, place / 4u, isInside.x)];
  //#else
  let safe = select(vec4u(start), places, isInside);
  let value = vec4f(b[safe.x], b[safe.y], b[safe.z], b[safe.w]);
  //#end
  return select(vec4f(), value, isInside);
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

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let columnBlocks = (params.n + COLUMNS - 1u) / COLUMNS;
  let rowBlocks = (params.m + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x;
  let slice = block / columnBlocks / rowBlocks;
  if (slice >= params.batches * params.splits) { return; }
  let batch = slice % params.batches;
  let split = slice / params.batches;
  let column0 = COLUMNS * (block % columnBlocks);
  let row0 = ROWS * (block / columnBlocks % rowBlocks);
  let firstK = split * params.splitLength;
  let endK = min(params.k, firstK + params.splitLength);
  let start = batch_offsets(batch);
  let x = lane % 16u; // which columns
  let y = lane / 16u; // which rows

  // What this invocation carries from memory into the tiles: place in the tile, row or column, and k.
  //#for i in 0..(TM+3)/4
  let slot__i = lane + 256u * i;
  //#if A_ALONG_K
  let aPlace__i = slot__i / 4u * PADDED + slot__i % 4u;
  let aRow__i = select(params.m, row0 + slot__i / 4u, slot__i < ROWS * 4u);
  let aK__i = 4u * (slot__i % 4u);
  //#else
  //| let aPlace__i = slot__i;
  //| let aRow__i = row0 + 4u * (slot__i % (ROWS / 4u));
  //| let aK__i = slot__i / (ROWS / 4u);
  //#end
  var aNext__i = load_a(start.x, aRow__i, firstK + aK__i, endK);
  //#end
  //#if B_ALONG_K
  let bPlace = lane / 4u * PADDED + lane % 4u;
  let bColumn = column0 + lane / 4u;
  let bK = 4u * (lane % 4u);
  //#else
  //| let bPlace = lane;
  //| let bColumn = column0 + 4u * (lane % (COLUMNS / 4u));
  //| let bK = lane / (COLUMNS / 4u);
  //#end
  var bNext = load_b(start.y, firstK + bK, bColumn, endK);

  var sum: array<vec4f, TM>;
  var rowSum = vec4f();
  for (var k0 = firstK; k0 < endK; k0 += STEP) {
    //#for i in 0..(TM+3)/4
    if (slot__i < ROWS * 4u) { tileA[aPlace__i] = aNext__i; }
    //#if ROW_SUMS
    rowSum += aNext__i;
    //#end
    //#end
    tileB[bPlace] = bNext;
    workgroupBarrier();
    //#for i in 0..(TM+3)/4
    aNext__i = load_a(start.x, aRow__i, k0 + STEP + aK__i, endK);
    //#end
    bNext = load_b(start.y, k0 + STEP + bK, bColumn, endK);

    for (var q = 0u; q < STEP / 4u; q++) {
      //#if B_ALONG_K
      var columns: array<vec4f, 4>; // [column][k]
      //#for c in 0..4
      columns[c] = tileB[(x + 16u * c) * PADDED + q];
      //#end
      //#end
      //#if A_ALONG_K
      var rows: array<vec4f, TM>; // [row][k]
      //#for r in 0..TM
      rows[r] = tileA[(y + 16u * r) * PADDED + q];
      //#end
      //#end
      //#for e in 0..4
      {
        //#if B_ALONG_K
        let right = vec4f(columns[0][e], columns[1][e], columns[2][e], columns[3][e]);
        //#else
        //| let right = tileB[(4u * q + e) * (COLUMNS / 4u) + x];
        //#end
        //#if A_ALONG_K
        //#for r in 0..TM
        sum[r] = fma(vec4f(rows[r][e]), right, sum[r]);
        //#end
        //#else
        //#for i in 0..TM/4
        //| let left__i = tileA[(4u * q + e) * (ROWS / 4u) + y + 16u * i];
        //#for r in 0..4
        //| sum[4u * i + r] = fma(vec4f(left__i[r]), right, sum[4u * i + r]);
        //#end
        //#end
        //#end
      }
      //#end
    }
    workgroupBarrier();
  }

  let out0 = split * params.outSlice;
  //#for r in 0..TM
  {
    //#if A_ALONG_K
    let row = row0 + y + 16u * r;
    //#else
    //| let row = row0 + 4u * y + r % 4u + 64u * (r / 4u);
    //#end
    let sliceRow = batch * params.m + row;
    if (row < params.m) {
      //#for c in 0..4
      {
        //#if B_ALONG_K
        let column = column0 + x + 16u * c;
        //#else
        //| let column = column0 + 4u * x + c;
        //#end
        if (column < params.n) { store(sum[r][c], out0 + sliceRow * params.outRow + column, sliceRow, column); }
      }
      //#end
    }
  }
  //#end

  //#if ROW_SUMS
  // Every invocation has summed the same 4 rows (or 4 places along k of a row) over all steps: add up those who share a row.
  rowSums[lane] = rowSum;
  workgroupBarrier();
  if (column0 == 0u && lane < ROWS && row0 + lane < params.m) {
    var total = 0.0;
    //#if A_ALONG_K
    for (var q = 0u; q < 4u; q++) { total += dot(rowSums[4u * lane + q], vec4f(1.0)); }
    //#else
    //| for (var k = 0u; k < STEP; k++) { total += rowSums[k * (ROWS / 4u) + lane / 4u][lane % 4u]; }
    //#end
    out[out0 + params.rowSumsOffset + batch * params.m + row0 + lane] = total;
  }
  //#end
}
