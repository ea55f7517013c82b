// gemm_panel — C = A·B for software adapters: one subgroup a workgroup, no workgroup memory, no barriers.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets
//   out [split, batch, M, N], the epilogue (GELU, TIMES) and ROW_SUMS: as in gemm_portable
//   VEC: rows of A are loaded as vec4; needs column stride 1, and row stride, batch strides and offset multiples of 4
//   OUT_VEC: rows of `out`, and of what its elements are combined with, are loaded and stored as vec4, gaps behind them too; without ROW_SUMS
// A workgroup keeps a panel of B, KC × (SG·NC), in private memory (NC columns a lane, four beside each other) and walks down rows of A. A row is loaded once by the
// subgroup, and each element then broadcast to all lanes: SIMD code in which every load is used SG·NC times.
// For k beyond KC the walk is repeated with the next panel on top of the sums in `out`; ONE_PANEL promises that none needs that.
// Three things make the compiler of a software adapter (LLVM) write good code; measured, each is worth a factor of 2 or 3:
//   - private memory is indexed by constants in the inner part, which is therefore spelled out;
//   - sums of a row are stored at the top of the *next* row's turn: as loop-carried variables they stay in registers;
//   - one subgroup a workgroup, so that there is nothing to synchronize.
// Precondition: the subgroup size is SG on this adapter. KC is a multiple of 4·SG, NC of 4.
// Dispatch: a workgroup for every panel of columns × stretch of rows × batch × split, folded into x and y; columns run fastest.

enable subgroups;

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
  stretch: u32, // rows a workgroup walks
  batchShape: array<vec4u, 2>,
  aBatch: array<vec4u, 2>,
  bBatch: array<vec4u, 2>,
}

const SG = 8u; //#param
const NC = 4u; //#param
const KC = 64u; //#param
const VEC = false; //#param
const OUT_VEC = false; //#param
const ONE_PANEL = false; //#param
const GELU = false; //#param
const TIMES = false; //#param
const ROW_SUMS = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const e = 0u; //#loop
const h = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> a4: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read> residual4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> out4: array<vec4f>;
//#if GELU
@group(0) @binding(6) var<storage, read_write> slopes: array<f32>;
@group(0) @binding(6) var<storage, read_write> slopes4: array<vec4f>;
//#end
//#if TIMES
@group(0) @binding(7) var<storage, read> times: array<f32>;
@group(0) @binding(7) var<storage, read> times4: array<vec4f>;
//#end

//#include gelu

// A lane has four neighbouring columns, and more of them further on.
fn column_of(first: u32, c: u32) -> u32 { return first + 4u * SG * (c / 4u) + c % 4u; }

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

@compute @workgroup_size(SG)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let columnBlocks = (params.n + SG * NC - 1u) / (SG * NC);
  let rowBlocks = (params.m + params.stretch - 1u) / params.stretch;
  let block = id.x + id.y * groups.x;
  let slice = block / columnBlocks / rowBlocks;
  if (slice >= params.batches * params.splits) { return; }
  let batch = slice % params.batches;
  let split = slice / params.batches;
  let firstColumn = SG * NC * (block % columnBlocks) + 4u * lane;
  let firstRow = params.stretch * (block / columnBlocks % rowBlocks);
  let endRow = min(params.m, firstRow + params.stretch);
  let firstK = split * params.splitLength;
  let endK = min(params.k, firstK + params.splitLength);

  let start = batch_offsets(batch);
  let out0 = split * params.outSlice + batch * params.m * params.outRow;
  let rowSums0 = split * params.outSlice + params.rowSumsOffset + batch * params.m;
  let residual0 = params.residualOffset + batch * params.m * params.residualRow;
  //#for h in 0..NC/4
  let column__h = column_of(firstColumn, 4u * h);
  //#end

  var k0 = firstK;
  loop {
    let isFirst = ONE_PANEL || k0 == firstK;
    let isLast = ONE_PANEL || k0 + KC >= endK;
    // Those rows of B that meet the j-th vectors of A. WGSL clears arrays, element by element in the compiler's eyes, and LLVM takes a time that
    // grows with the square of an array's size: several compile sooner than one.
    //#for j in 0..KC/SG/4
    var panel__j: array<f32, 4 * SG * NC>; // of numbers: vectors would take longer as well
    for (var n = 0u; n < 4u * SG * NC; n++) {
      let k = k0 + 4u * SG * j + n / NC;
      let column = min(column_of(firstColumn, n % NC), params.n - 1u);
      if (k < endK) { panel__j[n] = b[start.y + column * params.bColumn + k * params.bRow]; } else { panel__j[n] = 0.0; }
    }
    //#end
    var starts = array<f32, NC>();
    for (var c = 0u; c < min(NC, params.n); c++) { // no constant: a loop that is spelled out takes long to compile
      let column = column_of(firstColumn, c);
      if (isFirst && params.hasBias != 0u && column < params.n) { starts[c] = bias[column]; }
    }
    //#for h in 0..NC/4
    let start__h = vec4f(starts[4u * h], starts[4u * h + 1u], starts[4u * h + 2u], starts[4u * h + 3u]);
    var sum__h = vec4f();
    //#end
    // Lane l carries elements 4·l … 4·l + 3 of each 4·SG of a row; from beyond the edge it takes the row's first one, and no notice of it.
    //#for j in 0..KC/SG/4
    let k__j = vec4u(k0 + 4u * (j * SG + lane)) + vec4u(0u, 1u, 2u, 3u);
    let isInside__j = k__j < vec4u(endK);
    let place__j = start.x + select(vec4u(), k__j, isInside__j) * params.aColumn;
    //#end

    for (var row = firstRow; row <= endRow; row++) {
      if (row > firstRow) {
        let place = out0 + (row - 1u) * params.outRow;
        let added = residual0 + (row - 1u) * params.residualRow;
        //#for h in 0..NC/4
        //#if OUT_VEC
        //| if (column__h < params.outRow) {
        //|   let place__h = (place + column__h) / 4u;
        //|   var value__h = sum__h;
        //|   if (!isFirst) { value__h += out4[place__h]; }
        //|   if (isLast) {
        //#if GELU
        //|     slopes4[place__h] = vec4f(gelu_slope(value__h.x), gelu_slope(value__h.y), gelu_slope(value__h.z), gelu_slope(value__h.w));
        //|     value__h = vec4f(gelu(value__h.x), gelu(value__h.y), gelu(value__h.z), gelu(value__h.w));
        //#end
        //#if TIMES
        //|     value__h *= times4[place__h];
        //#end
        //|     if (params.hasResidual != 0u) { value__h += residual4[(added + column__h) / 4u]; }
        //|   }
        //|   out4[place__h] = value__h;
        //| }
        //#else
        //#for e in 0..4
        if (column__h + e < params.n) {
          let at = place + column__h + e;
          var value = sum__h[e];
          if (!isFirst) { value += out[at]; }
          if (isLast) {
            //#if GELU
            slopes[at] = gelu_slope(value);
            value = gelu(value);
            //#end
            //#if TIMES
            value *= times[at];
            //#end
            if (params.hasResidual != 0u) { value += residual[added + column__h + e]; }
          }
          out[at] = value;
        }
        //#end
        //#end
        //#end
      }
      let aRow = min(row, endRow - 1u) * params.aRow;
      //#for j in 0..KC/SG/4
      //#if VEC
      //| let four__j = a4[(place__j.x + aRow) / 4u];
      //#else
      let at__j = place__j + aRow;
      let four__j = vec4f(a[at__j.x], a[at__j.y], a[at__j.z], a[at__j.w]);
      //#end
      let x__j = select(vec4f(), four__j, isInside__j);
      //#end
      //#if ROW_SUMS
      var four = vec4f();
      //#for j in 0..KC/SG/4
      four += x__j;
      //#end
      let rowSum = subgroupAdd(four.x + four.y + (four.z + four.w));
      if (firstColumn == 0u && row < endRow) {
        let place = rowSums0 + row;
        if (isFirst) { out[place] = rowSum; } else { out[place] += rowSum; }
      }
      //#end
      //#for h in 0..NC/4
      sum__h = start__h;
      //#end
      //#for j in 0..KC/SG/4
      //#for q in 0..SG
      //#for e in 0..4
      {
        let x = vec4f(subgroupBroadcast(x__j[e], q));
        //#for h in 0..NC/4
        const n__h = (4u * q + e) * NC + 4u * h;
        sum__h = fma(x, vec4f(panel__j[n__h], panel__j[n__h + 1u], panel__j[n__h + 2u], panel__j[n__h + 3u]), sum__h);
        //#end
      }
      //#end
      //#end
      //#end
    }
    k0 += KC;
    if (ONE_PANEL || k0 >= endK) { break; }
  }
}
