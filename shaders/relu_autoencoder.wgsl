// relu_autoencoder — a training step of an autoencoder with ReLU for software adapters, in few passes over its features f [B, F].
//   xc = x − center (b_dec or 0), f = max(xc·We + be, 0), y = f·Wd + b_dec (a product like any other), e = y − x; x and y [B, D], D ≤ KD.
//   encode:   f; and partials [stretches, 2, F]: sums of f's columns, and how many in them are above 0, of each stretch of rows.
//   measure:  e; and partials [stretches, 2, D]: sums of e's columns, and of their squares.
//   backward: g, the gradient before the ReLU, = f ≤ 0 ? 0 : s·(e·Wdᵀ) + dsums (+ df), where y's gradient is s·e; it is used at once for
//             partials [splits, D·F + F·D + F] of each stretch of rows: xcᵀ·g, s·fᵀ·e and the sums of g's columns.
//   finish:   adds the splits up to dWe [D, F], dWd [F, D] and dbe [F]; and db_dec = s·Σ e − We·dbe, the latter if x is centered.
// We, Wd, the biases, e, y and f are dense; x has any stride between rows. NaN stays NaN and is not counted.
// encode and backward have gemm_panel's form, and hold for its reasons: one subgroup a workgroup walks down rows, with its SG·NC features' weights,
// and in backward with its gradients, in private memory. A row is loaded once, and each element broadcast. backward takes U rows at a time, one
// product after the other: a store to private memory in a loop blends with what was there. Precondition: the subgroup size is SG.
// Dispatch: encode, backward: a workgroup for every SG·NC features × stretch of rows; measure: ceil(D·stretches / 64); finish: ceil((2·D·F + F + D) / 64).

enable subgroups;

struct Params {
  rows: u32,
  width: u32,    // D
  features: u32, // F
  stretch: u32,  // rows of a workgroup
  stretches: u32,
  splits: u32,
  xOffset: u32,
  xRow: u32,
  centered: u32,
  hasSums: u32,  // 1: dsums is given,
  sumsStep: u32, // with so many elements from one feature's to the next one's
  sumsOffset: u32,
  hasSlope: u32, // 1: s = scale·slope[0], 0: s = 1
  scale: f32,
  errorStep: u32, // elements from one stretch's sums of e to the next one's
}

const SG = 8u; //#param
const NC = 4u; //#param
const KD = 64u; //#param
const U = 2u; //#param
const FEATURE_GRADIENT = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const c = 0u; //#loop
const u = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> encoder: array<f32>;
@group(0) @binding(3) var<storage, read> encoderBias: array<f32>;
@group(0) @binding(4) var<storage, read> center: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(6) var<storage, read_write> f: array<f32>;

@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> e: array<f32>;

@group(0) @binding(2) var<storage, read> decoder: array<f32>;
@group(0) @binding(3) var<storage, read> error: array<f32>;
@group(0) @binding(6) var<storage, read> kept: array<f32>;
@group(0) @binding(7) var<storage, read> dsums: array<f32>;
@group(0) @binding(8) var<storage, read> slope: array<f32>;
@group(0) @binding(8) var<storage, read> df: array<f32>; // a device binds 8 arrays at most: where this one is wanted, s is 1

@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(3) var<storage, read> errorParts: array<f32>;
@group(0) @binding(4) var<storage, read_write> dEncoder: array<f32>;
@group(0) @binding(5) var<storage, read_write> dDecoder: array<f32>;
@group(0) @binding(6) var<storage, read_write> dEncoderBias: array<f32>;
@group(0) @binding(7) var<storage, read_write> dDecoderBias: array<f32>;

var<private> panel: array<f32, KD * NC>;     // weights: element k of feature c at k·NC + c,
var<private> ofEncoder: array<f32, KD * NC>; // and likewise the gradients
var<private> ofDecoder: array<f32, KD * NC>;

@compute @workgroup_size(SG)
fn encode(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let part = group / blocks;
  if (part >= params.stretches) { return; }
  let first = SG * NC * (group % blocks) + lane;
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);

  //#for c in 0..NC
  let feature__c = min(first + c * SG, params.features - 1u);
  let isOurs__c = first + c * SG < params.features;
  let bias__c = encoderBias[feature__c];
  var value__c = 0.0;
  var sum__c = 0.0;
  var count__c = 0.0;
  //#end
  for (var k = 0u; k < KD; k++) {
    //#for c in 0..NC
    if (k < params.width) { panel[k * NC + c] = encoder[k * params.features + feature__c]; } else { panel[k * NC + c] = 0.0; }
    //#end
  }
  //#for j in 0..KD/SG
  let d__j = min(j * SG + lane, params.width - 1u);
  let isInside__j = j * SG + lane < params.width;
  let center__j = select(0.0, center[d__j], params.centered == 1u);
  //#end

  // A row's features are stored at the top of the next one's turn: as loop-carried variables they stay in registers.
  for (var row = firstRow; row <= endRow; row++) {
    if (row > firstRow) {
      //#for c in 0..NC
      let kept__c = select(value__c, 0.0, value__c <= 0.0);
      sum__c += kept__c;
      count__c += select(0.0, 1.0, value__c > 0.0);
      if (isOurs__c) { f[(row - 1u) * params.features + feature__c] = kept__c; }
      //#end
    }
    let at = params.xOffset + min(row, endRow - 1u) * params.xRow;
    //#for j in 0..KD/SG
    let x__j = select(0.0, x[at + d__j] - center__j, isInside__j);
    //#end
    //#for c in 0..NC
    value__c = bias__c;
    //#end
    //#for j in 0..KD/SG
    //#for q in 0..SG
    {
      let element = subgroupBroadcast(x__j, q);
      //#for c in 0..NC
      value__c = fma(element, panel[(j * SG + q) * NC + c], value__c);
      //#end
    }
    //#end
    //#end
  }
  //#for c in 0..NC
  if (isOurs__c) {
    partials[2u * part * params.features + feature__c] = sum__c;
    partials[(2u * part + 1u) * params.features + feature__c] = count__c;
  }
  //#end
}

@compute @workgroup_size(64)
fn measure(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let part = i / params.width;
  let d = i % params.width;
  if (part >= params.stretches) { return; }
  var sum = 0.0;
  var squares = 0.0;
  for (var row = part; row < params.rows; row += params.stretches) {
    let difference = y[row * params.width + d] - x[params.xOffset + row * params.xRow + d];
    e[row * params.width + d] = difference;
    sum += difference;
    squares += difference * difference;
  }
  partials[2u * part * params.width + d] = sum;
  partials[(2u * part + 1u) * params.width + d] = squares;
}

fn slope_of_error() -> f32 {
  //#if FEATURE_GRADIENT
  //| return 1.0;
  //#else
  if (params.hasSlope == 0u) { return 1.0; }
  return params.scale * slope[0];
  //#end
}

@compute @workgroup_size(SG)
fn backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let split = group / blocks;
  if (split >= params.splits) { return; }
  let first = SG * NC * (group % blocks) + lane;
  let firstRow = split * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);
  let s = slope_of_error();

  //#for c in 0..NC
  let feature__c = min(first + c * SG, params.features - 1u);
  let isOurs__c = first + c * SG < params.features;
  let dsum__c = select(0.0, dsums[params.sumsOffset + feature__c * params.sumsStep], params.hasSums == 1u);
  var ofBias__c = 0.0;
  //#end
  for (var k = 0u; k < KD; k++) {
    //#for c in 0..NC
    if (k < params.width) { panel[k * NC + c] = decoder[feature__c * params.width + k]; } else { panel[k * NC + c] = 0.0; }
    ofEncoder[k * NC + c] = 0.0;
    ofDecoder[k * NC + c] = 0.0;
    //#end
  }
  //#for j in 0..KD/SG
  let d__j = min(j * SG + lane, params.width - 1u);
  let isInside__j = j * SG + lane < params.width;
  let center__j = select(0.0, center[d__j], params.centered == 1u);
  //#end

  for (var row = firstRow; row < endRow; row += U) {
    // A row beyond the last is the last one again, and counts as zeros.
    //#for u in 0..U
    let isRow__u = row + u < endRow;
    let at__u = min(row + u, endRow - 1u);
    //#for j in 0..KD/SG
    let e__u__j = select(0.0, error[at__u * params.width + d__j], isInside__j && isRow__u);
    let x__u__j = select(0.0, x[params.xOffset + at__u * params.xRow + d__j] - center__j, isInside__j && isRow__u);
    //#end
    //#for c in 0..NC
    let f__u__c = select(0.0, kept[at__u * params.features + feature__c], isRow__u);
    var g__u__c = 0.0;
    //#end
    //#end
    //#for j in 0..KD/SG
    //#for q in 0..SG
    {
      //#for u in 0..U
      let element__u = subgroupBroadcast(e__u__j, q);
      //#for c in 0..NC
      g__u__c = fma(element__u, panel[(j * SG + q) * NC + c], g__u__c);
      //#end
      //#end
    }
    //#end
    //#end
    //#for u in 0..U
    //#for c in 0..NC
    g__u__c = s * g__u__c + dsum__c;
    //#if FEATURE_GRADIENT
    //| g__u__c += df[at__u * params.features + feature__c];
    //#end
    g__u__c = select(g__u__c, 0.0, f__u__c <= 0.0);
    ofBias__c += g__u__c;
    //#end
    //#end
    //#for j in 0..KD/SG
    //#for q in 0..SG
    {
      //#for u in 0..U
      let element__u = subgroupBroadcast(e__u__j, q);
      //#end
      //#for c in 0..NC
      var decoder__c = ofDecoder[(j * SG + q) * NC + c];
      //#for u in 0..U
      decoder__c = fma(element__u, f__u__c, decoder__c);
      //#end
      ofDecoder[(j * SG + q) * NC + c] = decoder__c;
      //#end
    }
    //#end
    //#end
    //#for j in 0..KD/SG
    //#for q in 0..SG
    {
      //#for u in 0..U
      let element__u = subgroupBroadcast(x__u__j, q);
      //#end
      //#for c in 0..NC
      var encoder__c = ofEncoder[(j * SG + q) * NC + c];
      //#for u in 0..U
      encoder__c = fma(element__u, g__u__c, encoder__c);
      //#end
      ofEncoder[(j * SG + q) * NC + c] = encoder__c;
      //#end
    }
    //#end
    //#end
  }

  // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
  let size = params.width * params.features;
  let slice = split * (2u * size + params.features);
  for (var k = 0u; k < params.width; k++) {
    //#for c in 0..NC
    if (isOurs__c) {
      partials[slice + k * params.features + feature__c] = ofEncoder[k * NC + c];
      partials[slice + size + feature__c * params.width + k] = s * ofDecoder[k * NC + c];
    }
    //#end
  }
  //#for c in 0..NC
  if (isOurs__c) { partials[slice + 2u * size + feature__c] = ofBias__c; }
  //#end
}

fn total(i: u32) -> f32 {
  let slice = (2u * params.width + 1u) * params.features;
  var sum = 0.0;
  for (var split = 0u; split < params.splits; split++) { sum += parts[split * slice + i]; }
  return sum;
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let size = params.width * params.features;
  if (i < size) {
    dEncoder[i] = total(i);
  } else if (i < 2u * size) {
    dDecoder[i - size] = total(i);
  } else if (i < 2u * size + params.features) {
    dEncoderBias[i - 2u * size] = total(i);
  } else if (i < 2u * size + params.features + params.width) {
    let d = i - 2u * size - params.features;
    var sum = 0.0;
    for (var part = 0u; part < params.stretches; part++) { sum += errorParts[part * params.errorStep + d]; }
    sum *= slope_of_error();
    if (params.centered == 1u) {
      for (var feature = 0u; feature < params.features; feature++) {
        sum = fma(-encoder[d * params.features + feature], total(2u * size + feature), sum);
      }
    }
    dDecoderBias[d] = sum;
  }
}
