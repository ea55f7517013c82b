// gemm_panel — C = A·B for software adapters: one subgroup a workgroup, no workgroup memory, no barriers.
//   a [batch, M, K], b [batch, K, N]: any strides and offsets
//   out [split, batch, M, N], the epilogue (GELU, TIMES) and ROW_SUMS: as in gemm_portable
//   VEC: rows of A are loaded as vec4; needs column stride 1, and row stride, batch strides and offset multiples of 4
//   OUT_VEC: rows of `out`, and of what its elements are combined with, are loaded and stored as vec4, gaps behind them too; without ROW_SUMS
//   NORMALIZE: the finished rows normalised stand behind them in `out`, as layer_norm_panel computes them, and their means and 1 / standard
//     deviations in `statistics`; needs OUT_VEC, ONE_PANEL, rows without gaps, and a workgroup's columns to hold whole ones
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
  normalizedOffset: u32, // from an element to its normalised one
  rstdOffset: u32,
  eps: f32,
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
const RESIDUAL = false; //#param
const NORMALIZE = false; //#param
const ROW_SUMS = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const c = 0u; //#loop
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

//#if NORMALIZE
@group(0) @binding(8) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(9) var<storage, read> normWeight4: array<vec4f>;
@group(0) @binding(10) var<storage, read> normBias4: array<vec4f>;
//#end

//#include gelu

var<private> panel: array<f32, KC * NC>;

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
  //#if RESIDUAL
  let residual0 = params.residualOffset + batch * params.m * params.residualRow;
  //#end
  //#for c in 0..NC
  let column__c = column_of(firstColumn, c);
  let inside__c = column__c < params.n;
  //#end
  //#if NORMALIZE
  //#for h in 0..NC/4
  let vector__h = min(h * SG + lane, params.n / 4u - 1u);
  let normWeight__h = normWeight4[vector__h];
  let normBias__h = normBias4[vector__h];
  //#end
  //#end

  var k0 = firstK;
  loop {
    let isFirst = ONE_PANEL || k0 == firstK;
    let isLast = ONE_PANEL || k0 + KC >= endK;
    for (var n = 0u; n < KC * NC; n++) {
      let k = k0 + n / NC;
      let column = min(column_of(firstColumn, n % NC), params.n - 1u);
      if (k < endK) { panel[n] = b[start.y + column * params.bColumn + k * params.bRow]; } else { panel[n] = 0.0; }
    }
    var starts = array<f32, NC>();
    for (var c = 0u; c < min(NC, params.n); c++) { // no constant: a loop that is spelled out takes long to compile
      let column = column_of(firstColumn, c);
      if (isFirst && params.hasBias != 0u && column < params.n) { starts[c] = bias[column]; }
    }
    //#for c in 0..NC
    let start__c = starts[c];
    var sum__c = 0.0;
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
        //#if OUT_VEC
        //#if NORMALIZE
        //#for h in 0..NC/4
        //| var row__h = vec4f();
        //#end
        //#end
        //#for h in 0..NC/4
        //#for c in 4*h..4*h+1
        //| if (column__c < params.outRow) {
        //|   let place__h = (place + column__c) / 4u;
        //#if RESIDUAL
        //|   let added__h = (residual0 + (row - 1u) * params.residualRow + column__c) / 4u;
        //#end
        //#end
        //|   var value = vec4f();
        //#for c in 4*h..4*h+4
        //|   value[c % 4u] = sum__c;
        //#end
        //|   if (!isFirst) { value += out4[place__h]; }
        //|   if (isLast) {
        //#if GELU
        //|     slopes4[place__h] = vec4f(gelu_slope(value[0]), gelu_slope(value[1]), gelu_slope(value[2]), gelu_slope(value[3]));
        //|     value = vec4f(gelu(value[0]), gelu(value[1]), gelu(value[2]), gelu(value[3]));
        //#end
        //#if TIMES
        //|     value *= times4[place__h];
        //#end
        //#if RESIDUAL
        //|     value += residual4[added__h];
        //#end
        //|   }
        //|   out4[place__h] = value;
        //#if NORMALIZE
        //|   row__h = value;
        //#end
        //| }
        //#end
        //#if NORMALIZE
        //| var total = vec4f();
        //#for h in 0..NC/4
        //| total += row__h;
        //#end
        //| let center = subgroupAdd((total.x + total.y) + (total.z + total.w)) / f32(params.n);
        //| var squares = vec4f();
        //#for h in 0..NC/4
        //#for c in 4*h..4*h+1
        //| let d__h = select(vec4f(), row__h - center, inside__c);
        //#end
        //| squares += d__h * d__h;
        //#end
        //| let variance = subgroupAdd((squares.x + squares.y) + (squares.z + squares.w)) / f32(params.n);
        //| let scale = 1.0 / sqrt(variance + params.eps);
        //#for h in 0..NC/4
        //#for c in 4*h..4*h+1
        //| if (inside__c) { out4[(place + params.normalizedOffset + column__c) / 4u] = d__h * scale * normWeight__h + normBias__h; }
        //#end
        //#end
        //| if (lane == 0u) {
        //|   statistics[batch * params.m + row - 1u] = center;
        //|   statistics[params.rstdOffset + batch * params.m + row - 1u] = scale;
        //| }
        //#end
        //#else
        //#for c in 0..NC
        if (inside__c) {
          var value = sum__c;
          if (!isFirst) { value += out[place + column__c]; }
          if (isLast) {
            //#if GELU
            slopes[place + column__c] = gelu_slope(value);
            value = gelu(value);
            //#end
            //#if TIMES
            value *= times[place + column__c];
            //#end
            //#if RESIDUAL
            value += residual[residual0 + (row - 1u) * params.residualRow + column__c];
            //#end
          }
          out[place + column__c] = value;
        }
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
      //#for c in 0..NC
      sum__c = start__c;
      //#end
      //#for j in 0..KC/SG/4
      //#for q in 0..SG
      //#for e in 0..4
      {
        let x = subgroupBroadcast(x__j[e], q);
        //#for c in 0..NC
        sum__c = fma(x, panel[(4u * (j * SG + q) + e) * NC + c], sum__c);
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
