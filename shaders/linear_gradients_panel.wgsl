// linear_gradients_panel — every gradient of y = x·Wᵀ + b from that of y in one walk over the rows, for software adapters.
//   g [rows, outs], weight [outs, ins], x [rows, ins]: any offsets; columns of g and x are neighbours
//   dx [rows, ins] = g·W; GELU_SLOPE: times gelu'(slopeAt) (a dense [rows, ins]); RESIDUAL: plus residual
//   partials [part, slice]: sums over a stretch of rows of gᵀ·x, [outs, ins], and from biasOffset on of g, [outs]
// A workgroup is one subgroup. It keeps a block of W, KC × (SG·NC) with NC columns a lane, and the same block of dW in private memory, and walks
// down rows, U at a time: an element of g is loaded once, and multiplied with W for dx and with x for dW. So three loads or stores do what takes
// two products five. For more than KC outs the walk is repeated with the next block, on top of the sums in dx; ONE_PANEL promises that none needs that.
// Private memory is indexed by constants, and sums of rows are stored at the top of the next turn; see gemm_panel for why. Two rows at a time:
// a store to private memory in a loop is a blend with what was there, so that half as many of them are worth the registers.
// Precondition: the subgroup size is SG on this adapter. KC is a multiple of SG.
// Dispatch: a workgroup for every SG·NC columns × part, folded into x and y; columns run fastest.

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
  residualOffset: u32,
  residualRow: u32,
  stretch: u32, // rows of a part
  parts: u32,
  slice: u32, // elements from one part's sums to the next one's
  biasOffset: u32,
}

const SG = 8u; //#param
const NC = 4u; //#param
const KC = 64u; //#param
const U = 2u; //#param
const ONE_PANEL = false; //#param
const GELU_SLOPE = false; //#param
const RESIDUAL = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const c = 0u; //#loop
const u = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
//#if GELU_SLOPE
@group(0) @binding(6) var<storage, read> slopeAt: array<f32>;
//#end
//#if RESIDUAL
@group(0) @binding(7) var<storage, read> residual: array<f32>;
//#end

//#include gelu

var<private> panel: array<f32, KC * NC>;
var<private> ofWeight: array<f32, KC * NC>;

@compute @workgroup_size(SG)
fn main(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.ins + SG * NC - 1u) / (SG * NC);
  let block = id.x + id.y * groups.x;
  let part = block / blocks;
  if (part >= params.parts) { return; }
  let column = SG * NC * (block % blocks) + lane;
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);
  //#for c in 0..NC
  let inside__c = column + c * SG < params.ins;
  let column__c = min(column + c * SG, params.ins - 1u);
  //#end

  var first = 0u;
  loop {
    let isFirst = ONE_PANEL || first == 0u;
    let isLast = ONE_PANEL || first + KC >= params.outs;
    for (var k = 0u; k < KC; k++) {
      let at = params.weightOffset + min(first + k, params.outs - 1u) * params.weightRow;
      //#for c in 0..NC
      panel[k * NC + c] = weight[at + column__c * params.weightColumn];
      ofWeight[k * NC + c] = 0.0;
      //#end
    }
    // Lane l carries elements l, SG + l, … of each KC of a row of g; beyond the last they are 0.
    //#for j in 0..KC/SG
    let isInside__j = first + j * SG + lane < params.outs;
    let place__j = params.gOffset + min(first + j * SG + lane, params.outs - 1u);
    var ofBias__j = 0.0;
    //#end
    //#for u in 0..U
    //#for c in 0..NC
    var sum__u__c = 0.0;
    //#end
    //#end

    for (var row = firstRow; row < endRow + U; row += U) {
      if (row > firstRow) {
        //#for u in 0..U
        let row__u = row - U + u;
        let place__u = row__u * params.ins + column;
        //#for c in 0..NC
        if (inside__c && row__u < endRow) {
          var value = sum__u__c;
          if (!isFirst) { value += dx[place__u + c * SG]; }
          if (isLast) {
            //#if GELU_SLOPE
            value *= gelu_slope(slopeAt[place__u + c * SG]);
            //#end
            //#if RESIDUAL
            value += residual[params.residualOffset + row__u * params.residualRow + column + c * SG];
            //#end
          }
          dx[place__u + c * SG] = value;
        }
        //#end
        //#end
      }
      // The last turn only stores: rows beyond the last are 0.
      //#for u in 0..U
      let isRow__u = row + u < endRow;
      let at__u = min(row + u, endRow - 1u);
      //#for j in 0..KC/SG
      let g__u__j = select(0.0, g[place__j + at__u * params.gRow], isInside__j && isRow__u);
      ofBias__j += g__u__j;
      //#end
      //#for c in 0..NC
      let x__u__c = select(0.0, x[params.xOffset + at__u * params.xRow + column__c], isRow__u);
      sum__u__c = 0.0;
      //#end
      //#end
      //#for j in 0..KC/SG
      //#for q in 0..SG
      {
        //#for u in 0..U
        let element__u = subgroupBroadcast(g__u__j, q);
        //#for c in 0..NC
        sum__u__c = fma(element__u, panel[(j * SG + q) * NC + c], sum__u__c);
        //#end
        //#end
      }
      //#end
      //#end
      //#for j in 0..KC/SG
      //#for q in 0..SG
      {
        //#for u in 0..U
        let element__u = subgroupBroadcast(g__u__j, q);
        //#end
        //#for c in 0..NC
        var ofWeight__c = ofWeight[(j * SG + q) * NC + c];
        //#for u in 0..U
        ofWeight__c = fma(element__u, x__u__c, ofWeight__c);
        //#end
        ofWeight[(j * SG + q) * NC + c] = ofWeight__c;
        //#end
      }
      //#end
      //#end
    }

    // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
    let sums = part * params.slice;
    for (var k = 0u; k < min(KC, params.outs - first); k++) {
      //#for c in 0..NC
      if (inside__c) { partials[sums + (first + k) * params.ins + column__c] = ofWeight[k * NC + c]; }
      //#end
    }
    if (block % blocks == 0u) {
      //#for j in 0..KC/SG
      if (isInside__j) { partials[sums + params.biasOffset + first + j * SG + lane] = ofBias__j; }
      //#end
    }
    first += KC;
    if (ONE_PANEL || first >= params.outs) { break; }
  }
}
