// linear_gradients_panel — every gradient of y = x·Wᵀ + b from that of y in one walk over the rows, for software adapters.
//   g [rows, outs], weight [outs, ins], x (here `input`) [rows, ins]: any offsets; columns of g and x are neighbours
//   dx [rows, ins] = g·W; times `times`, dense, and plus residual, where there are such
//   partials [part, slice]: sums over a stretch of rows of gᵀ·x, [outs, ins], and from biasOffset on of g, [outs]
//   G_VEC, X_VEC: g, and all that has ins columns, as vec4: row strides and offsets, and ins, are multiples of 4 then, and what lies behind a
//   row of g up to the next multiple of 4 is loaded, but does not count
// A workgroup is one subgroup. It keeps a block of W, KC × 4·SG with 4 neighbouring columns a lane, and the same block of dW in private memory, and
// walks down rows, U at a time: an element of g is loaded once, and multiplied with W for dx and with x for dW. So three loads or stores do what
// takes two products five. For more than KC outs the walk is repeated with the next block, on top of the sums in dx.
// Private memory is indexed by constants, and sums of rows are stored at the top of the next turn; see gemm_panel for why. Two rows at a time:
// a store to private memory in a loop is a blend with what was there, so that half as many of them are worth the registers; with more rows
// the loop outgrows the processor's first instruction cache.
// Precondition: the subgroup size is SG on this adapter. KC is a multiple of 4·SG.
// Dispatch: a workgroup for every 4·SG columns × part, folded into x and y; columns run fastest.

enable subgroups;

struct Params {
  rows: u32,
  outs: u32,
  ins: u32,
  gOffset: u32,
  gRow: u32,
  xOffset: u32,
  xRow: u32,
  weightOffset: u32,
  weightRow: u32,
  weightColumn: u32,
  hasTimes: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
  stretch: u32, // rows of a part
  parts: u32,
  slice: u32, // elements from one part's sums to the next one's
  biasOffset: u32,
}

const SG = 8u; //#param
const KC = 64u; //#param
const U = 2u; //#param
const G_VEC = false; //#param
const X_VEC = false; //#param
const j = 0u; //#loop
const c = 0u; //#loop
const k = 0u; //#loop
const u = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> g4: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(3) var<storage, read> input4: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(6) var<storage, read> times: array<f32>;
@group(0) @binding(6) var<storage, read> times4: array<vec4f>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read> residual4: array<vec4f>;

@compute @workgroup_size(SG)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.ins + SG * 4u - 1u) / (SG * 4u);
  let block = id.x + id.y * groups.x;
  let part = block / blocks;
  if (part >= params.parts) { return; }
  let column = 4u * (SG * (block % blocks) + lane);
  let columns = vec4u(column) + vec4u(0u, 1u, 2u, 3u);
  let isColumn = columns < vec4u(params.ins);
  let column4 = select(vec4u(params.ins - 1u), columns, isColumn);
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);

  var first = 0u;
  loop {
    let isFirst = first == 0u;
    let isLast = first + KC >= params.outs;
    // What meets the j-th vectors of g, number n = 4 k + c for its k-th element; in several arrays to compile sooner: see gemm_panel.
    //#for j in 0..KC/SG/4
    var panel__j: array<f32, 16 * SG>;
    var ofWeight__j: array<f32, 16 * SG>;
    for (var n = 0u; n < 16 * SG; n++) {
      let at = params.weightOffset + min(first + 4 * SG * j + n / 4u, params.outs - 1u) * params.weightRow;
      panel__j[n] = weight[at + min(column + n % 4u, params.ins - 1u) * params.weightColumn];
      ofWeight__j[n] = 0.0;
    }
    //#end
    // Lane l carries elements 4·l … 4·l + 3 of each 4·SG of a row of g; beyond the last they are 0.
    //#for j in 0..KC/SG/4
    let k__j = vec4u(first + 4u * (j * SG + lane)) + vec4u(0u, 1u, 2u, 3u);
    let isOut__j = k__j < vec4u(params.outs);
    let place__j = params.gOffset + select(vec4u(), k__j, isOut__j);
    var ofBias__j = vec4f();
    //#end
    //#for u in 0..U
    var sum__u = vec4f();
    //#end

    for (var row = firstRow; row < endRow + U; row += U) {
      if (row > firstRow) {
        //#for u in 0..U
        let row__u = row - U + u;
        if (row__u < endRow) {
          let place__u = row__u * params.ins + column;
          var value = sum__u;
          //#if X_VEC
          //| if (isColumn.x) {
          //|   if (!isFirst) { value += dx4[place__u / 4u]; }
          //|   if (isLast && params.hasTimes != 0u) { value *= times4[place__u / 4u]; }
          //|   if (isLast && params.hasResidual != 0u) {
          //|     value += residual4[(params.residualOffset + row__u * params.residualRow + column) / 4u];
          //|   }
          //|   dx4[place__u / 4u] = value;
          //| }
          //#else
          //#for c in 0..4
          if (isColumn[c]) {
            if (!isFirst) { value[c] += dx[place__u + c]; }
            if (isLast) {
              if (params.hasTimes != 0u) { value[c] *= times[place__u + c]; }
              if (params.hasResidual != 0u) { value[c] += residual[params.residualOffset + row__u * params.residualRow + column + c]; }
            }
            dx[place__u + c] = value[c];
          }
          //#end
          //#end
        }
        //#end
      }
      // The last turn only stores: rows beyond the last are 0.
      //#for u in 0..U
      let isRow__u = row + u < endRow;
      let at__u = min(row + u, endRow - 1u);
      //#for j in 0..KC/SG/4
      //#if G_VEC
      //| let g__u__j = select(vec4f(), g4[(place__j.x + at__u * params.gRow) / 4u], isOut__j & vec4<bool>(isRow__u));
      //#else
      let gPlace__u__j = place__j + at__u * params.gRow;
      let gFour__u__j = vec4f(g[gPlace__u__j.x], g[gPlace__u__j.y], g[gPlace__u__j.z], g[gPlace__u__j.w]);
      let g__u__j = select(vec4f(), gFour__u__j, isOut__j & vec4<bool>(isRow__u));
      //#end
      ofBias__j += g__u__j;
      //#end
      let xRow__u = params.xOffset + at__u * params.xRow;
      //#if X_VEC
      //| let x__u = select(vec4f(), input4[(xRow__u + column4.x) / 4u], isRow__u);
      //#else
      let xFour__u = vec4f(input[xRow__u + column4.x], input[xRow__u + column4.y], input[xRow__u + column4.z], input[xRow__u + column4.w]);
      let x__u = select(vec4f(), xFour__u, isRow__u);
      //#end
      sum__u = vec4f();
      //#end
      //#for j in 0..KC/SG/4
      //#for k in 0..4*SG
      {
        let weights = vec4f(panel__j[4 * k], panel__j[4 * k + 1], panel__j[4 * k + 2], panel__j[4 * k + 3]);
        //#for u in 0..U
        sum__u = fma(vec4f(subgroupBroadcast(g__u__j[k % 4u], k / 4u)), weights, sum__u);
        //#end
      }
      //#end
      //#end
      //#for j in 0..KC/SG/4
      //#for k in 0..4*SG
      {
        //#for u in 0..U
        let element__u = vec4f(subgroupBroadcast(g__u__j[k % 4u], k / 4u));
        //#end
        var four = vec4f(ofWeight__j[4 * k], ofWeight__j[4 * k + 1], ofWeight__j[4 * k + 2], ofWeight__j[4 * k + 3]);
        //#for u in 0..U
        four = fma(element__u, x__u, four);
        //#end
        //#for c in 0..4
        ofWeight__j[4 * k + c] = four[c];
        //#end
      }
      //#end
      //#end
    }

    // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
    let sums = part * params.slice;
    //#for j in 0..KC/SG/4
    for (var n = 0u; n < 4u * min(4 * SG, params.outs - min(params.outs, first + 4 * SG * j)); n++) {
      let at = column + n % 4u;
      if (at < params.ins) { partials[sums + (first + 4 * SG * j + n / 4u) * params.ins + at] = ofWeight__j[n]; }
    }
    //#end
    if (block % blocks == 0u) {
      var ofBias: array<f32, KC / SG>;
      //#for j in 0..KC/SG/4
      //#for c in 0..4
      ofBias[4u * j + c] = ofBias__j[c];
      //#end
      //#end
      for (var n = 0u; n < min(KC / SG, params.outs); n++) {
        let at = first + 4u * (n / 4u * SG + lane) + n % 4u;
        if (at < params.outs) { partials[sums + params.biasOffset + at] = ofBias[n]; }
      }
    }
    first += KC;
    if (first >= params.outs) { break; }
  }
}
