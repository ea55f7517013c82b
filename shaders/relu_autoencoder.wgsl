// relu_autoencoder — a training step of an autoencoder with ReLU for software adapters, in few passes over its features f [B, F].
//   xc = x − center (b_dec or 0), f = max(xc·We + be, 0), y = f·Wd + b_dec (a product like any other), e = y − x; x and y [B, D], D ≤ KD.
//   encode:   f; and partials [stretches, 2, F]: sums of f's columns, and how many in them are above 0, of each stretch of rows.
//   measure:  e; and partials [stretches, 2, D]: sums of e's columns, and of their squares.
//   add_up:   scale·Σ e² and totalScale·Σ f, of the partials of measure and of encode; the latter's stretches are `splits`.
//   backward: g, the gradient before the ReLU, = f ≤ 0 ? 0 : s·(e·Wdᵀ) + sumsScale·dsums (+ df), where y's gradient is s·e; it is used at once for
//             partials [splits, D·F + F·D + F] of each stretch of rows: xcᵀ·g, s·fᵀ·e and the sums of g's columns.
//   finish:   adds the splits up to dWe [D, F], dWd [F, D] and dbe [F]; and db_dec = s·Σ e − We·dbe, the latter if x is centered.
// We, Wd, the biases, e, y and f are dense; x has any stride between rows. NaN stays NaN and is not counted.
//   VEC: what is moved much is moved as vec4; needs D, F, and x's offset and stride to be multiples of 4
// encode and backward have gemm_panel's form, and hold for its reasons: one subgroup a workgroup walks down rows, with its SG·NC features' weights,
// and in backward with its gradients, in private memory. A row is loaded once, and each element broadcast; lane l carries columns, and works on
// features, 4·l … 4·l + 3 of each 4·SG. backward takes U rows at a time, one product after the other: a store to private memory in a loop blends
// with what was there. Preconditions: the subgroup size is SG, NC is a multiple of 4 and KD of 4·SG.
// Dispatch: encode, backward: a workgroup for every SG·NC features × stretch of rows; measure: ceil(ceil(D / 4)·stretches / 64);
// add_up: 1; finish: ceil(((2·D·F + F) / WIDE + D) / 64).

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
  sumsScale: f32,
  hasSlope: u32, // 1: s = scale·slope[0], 0: s = 1
  scale: f32,
  totalScale: f32,
  errorStep: u32, // elements from one stretch's sums of e to the next one's
}

const SG = 8u; //#param
const NC = 4u; //#param
const KD = 64u; //#param
const U = 2u; //#param
const VEC = false; //#param
const FEATURE_GRADIENT = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const h = 0u; //#loop
const n = 0u; //#loop
const u = 0u; //#loop

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> encoderBias: array<f32>;
@group(0) @binding(4) var<storage, read> center: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<storage, read> decoder: array<f32>;
@group(0) @binding(7) var<storage, read> dsums: array<f32>;
@group(0) @binding(8) var<storage, read> slope: array<f32>;
@group(0) @binding(3) var<storage, read> errorParts: array<f32>;
@group(0) @binding(7) var<storage, read_write> dDecoderBias: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;

// A device binds 8 arrays at most: where df is wanted, s is 1, and there is no slope.
//#if VEC
//| alias Element = vec4f;
//| const WIDE = 4u;
//| @group(0) @binding(1) var<storage, read> x: array<vec4f>;
//| @group(0) @binding(2) var<storage, read> encoder: array<vec4f>;
//| @group(0) @binding(6) var<storage, read_write> f: array<vec4f>;
//| @group(0) @binding(2) var<storage, read> y: array<vec4f>;
//| @group(0) @binding(3) var<storage, read_write> e: array<vec4f>;
//| @group(0) @binding(3) var<storage, read> error: array<vec4f>;
//| @group(0) @binding(6) var<storage, read> kept: array<vec4f>;
//| @group(0) @binding(8) var<storage, read> df: array<vec4f>;
//| @group(0) @binding(1) var<storage, read> parts: array<vec4f>;
//| @group(0) @binding(4) var<storage, read_write> dEncoder: array<vec4f>;
//| @group(0) @binding(5) var<storage, read_write> dDecoder: array<vec4f>;
//| @group(0) @binding(6) var<storage, read_write> dEncoderBias: array<vec4f>;
//#else
alias Element = f32;
const WIDE = 1u;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> encoder: array<f32>;
@group(0) @binding(6) var<storage, read_write> f: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> e: array<f32>;
@group(0) @binding(3) var<storage, read> error: array<f32>;
@group(0) @binding(6) var<storage, read> kept: array<f32>;
@group(0) @binding(8) var<storage, read> df: array<f32>;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(4) var<storage, read_write> dEncoder: array<f32>;
@group(0) @binding(5) var<storage, read_write> dDecoder: array<f32>;
@group(0) @binding(6) var<storage, read_write> dEncoderBias: array<f32>;
//#end

var<private> panel: array<vec4f, KD * NC / 4u>;     // weights: element k of 4 features h at k·NC/4 + h,
var<private> ofEncoder: array<vec4f, KD * NC / 4u>; // and likewise the gradients
var<private> ofDecoder: array<vec4f, KD * NC / 4u>;

// Elements at four neighbouring places, or with VEC at those that begin with the first.
fn x_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return x[place.x / 4u];
  //#else
  return vec4f(x[place.x], x[place.y], x[place.z], x[place.w]);
  //#end
}

fn encoder_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return encoder[place.x / 4u];
  //#else
  return vec4f(encoder[place.x], encoder[place.y], encoder[place.z], encoder[place.w]);
  //#end
}

fn error_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return error[place.x / 4u];
  //#else
  return vec4f(error[place.x], error[place.y], error[place.z], error[place.w]);
  //#end
}

fn kept_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return kept[place.x / 4u];
  //#else
  return vec4f(kept[place.x], kept[place.y], kept[place.z], kept[place.w]);
  //#end
}

fn df_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return df[place.x / 4u];
  //#else
  return vec4f(df[place.x], df[place.y], df[place.z], df[place.w]);
  //#end
}

fn four_from(start: u32) -> vec4u { return vec4u(start) + vec4u(0u, 1u, 2u, 3u); }

@compute @workgroup_size(SG)
fn encode(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let part = group / blocks;
  if (part >= params.stretches) { return; }
  let first = SG * NC * (group % blocks) + 4u * lane;
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);

  //#for h in 0..NC/4
  let feature__h = four_from(first + h * 4u * SG);
  let isOurs__h = feature__h < vec4u(params.features);
  let at__h = select(vec4u(), feature__h, isOurs__h);
  let bias__h = vec4f(encoderBias[at__h.x], encoderBias[at__h.y], encoderBias[at__h.z], encoderBias[at__h.w]);
  var value__h = vec4f();
  var sum__h = vec4f();
  var count__h = vec4f();
  //#end
  for (var k = 0u; k < KD; k++) {
    //#for h in 0..NC/4
    let weights__h = encoder_at(min(k, params.width - 1u) * params.features + at__h);
    panel[k * (NC / 4u) + h] = select(vec4f(), weights__h, k < params.width);
    //#end
  }
  // From beyond the edge a lane takes the row's first column, and no notice of it.
  //#for j in 0..KD/SG/4
  let column__j = four_from(4u * (j * SG + lane));
  let isInside__j = column__j < vec4u(params.width);
  let d__j = select(vec4u(), column__j, isInside__j);
  let center__j = select(vec4f(), vec4f(center[d__j.x], center[d__j.y], center[d__j.z], center[d__j.w]), params.centered == 1u);
  //#end

  // A row's features are stored at the top of the next one's turn: as loop-carried variables they stay in registers.
  for (var row = firstRow; row <= endRow; row++) {
    if (row > firstRow) {
      let row0 = (row - 1u) * params.features;
      //#for h in 0..NC/4
      let kept__h = select(value__h, vec4f(), value__h <= vec4f());
      sum__h += kept__h;
      count__h += select(vec4f(), vec4f(1.0), value__h > vec4f());
      //#if VEC
      //| if (isOurs__h.x) { f[(row0 + at__h.x) / 4u] = kept__h; }
      //#else
      //#for n in 0..4
      if (isOurs__h[n]) { f[row0 + at__h[n]] = kept__h[n]; }
      //#end
      //#end
      //#end
    }
    let start = params.xOffset + min(row, endRow - 1u) * params.xRow;
    //#for j in 0..KD/SG/4
    let x__j = select(vec4f(), x_at(start + d__j) - center__j, isInside__j);
    //#end
    //#for h in 0..NC/4
    value__h = bias__h;
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      let element = vec4f(subgroupBroadcast(x__j[n], q));
      //#for h in 0..NC/4
      value__h = fma(element, panel[(4u * (j * SG + q) + n) * (NC / 4u) + h], value__h);
      //#end
    }
    //#end
    //#end
    //#end
  }
  //#for h in 0..NC/4
  //#for n in 0..4
  if (isOurs__h[n]) {
    partials[2u * part * params.features + at__h[n]] = sum__h[n];
    partials[(2u * part + 1u) * params.features + at__h[n]] = count__h[n];
  }
  //#end
  //#end
}

@compute @workgroup_size(64)
fn measure(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let fours = (params.width + 3u) / 4u;
  let part = i / fours;
  let column = four_from(4u * (i % fours));
  if (part >= params.stretches) { return; }
  let isInside = column < vec4u(params.width);
  let d = select(vec4u(), column, isInside);
  var sum = vec4f();
  var squares = vec4f();
  for (var row = part; row < params.rows; row += params.stretches) {
    let at = row * params.width + d;
    //#if VEC
    //| let difference = y[at.x / 4u] - x_at(params.xOffset + row * params.xRow + d);
    //| e[at.x / 4u] = difference;
    //#else
    let difference = vec4f(y[at.x], y[at.y], y[at.z], y[at.w]) - x_at(params.xOffset + row * params.xRow + d);
    //#for n in 0..4
    if (isInside[n]) { e[at[n]] = difference[n]; }
    //#end
    //#end
    sum += difference;
    squares += difference * difference;
  }
  //#for n in 0..4
  if (isInside[n]) {
    partials[2u * part * params.width + d[n]] = sum[n];
    partials[(2u * part + 1u) * params.width + d[n]] = squares[n];
  }
  //#end
}

@compute @workgroup_size(SG)
fn add_up(@builtin(subgroup_invocation_id) lane: u32) {
  var squares = 0.0;
  for (var i = lane; i < params.stretches * params.width; i += SG) {
    squares += errorParts[(2u * (i / params.width) + 1u) * params.width + i % params.width];
  }
  var sum = 0.0;
  for (var i = lane; i < params.splits * params.features; i += SG) {
    sum += sums[2u * (i / params.features) * params.features + i % params.features];
  }
  let ofSquares = params.scale * subgroupAdd(squares);
  let ofFeatures = params.totalScale * subgroupAdd(sum);
  if (lane < 2u) { losses[lane] = select(ofSquares, ofFeatures, lane == 1u); }
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
  let first = SG * NC * (group % blocks) + 4u * lane;
  let firstRow = split * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);
  let s = slope_of_error();

  //#for h in 0..NC/4
  let feature__h = four_from(first + h * 4u * SG);
  let isOurs__h = feature__h < vec4u(params.features);
  let at__h = select(vec4u(), feature__h, isOurs__h);
  let sums__h = params.sumsOffset + at__h * params.sumsStep;
  let given__h = vec4f(dsums[sums__h.x], dsums[sums__h.y], dsums[sums__h.z], dsums[sums__h.w]);
  let dsum__h = select(vec4f(), params.sumsScale * given__h, params.hasSums == 1u);
  var ofBias__h = vec4f();
  //#end
  for (var k = 0u; k < KD; k++) {
    //#for h in 0..NC/4
    let place__h = at__h * params.width + min(k, params.width - 1u);
    let weights__h = vec4f(decoder[place__h.x], decoder[place__h.y], decoder[place__h.z], decoder[place__h.w]);
    panel[k * (NC / 4u) + h] = select(vec4f(), weights__h, k < params.width);
    ofEncoder[k * (NC / 4u) + h] = vec4f();
    ofDecoder[k * (NC / 4u) + h] = vec4f();
    //#end
  }
  // From beyond the edge a lane takes the row's first column, and no notice of it.
  //#for j in 0..KD/SG/4
  let column__j = four_from(4u * (j * SG + lane));
  let isInside__j = column__j < vec4u(params.width);
  let d__j = select(vec4u(), column__j, isInside__j);
  let center__j = select(vec4f(), vec4f(center[d__j.x], center[d__j.y], center[d__j.z], center[d__j.w]), params.centered == 1u);
  //#end

  for (var row = firstRow; row < endRow; row += U) {
    // A row beyond the last is the last one again, and counts as zeros. What is loaded is loaded in this order because the compiler's code
    // depends on it: without VEC, row by row takes a seventh longer.
    //#for u in 0..U
    let isRow__u = row + u < endRow;
    let row__u = min(row + u, endRow - 1u);
    //#for j in 0..KD/SG/4
    let isGiven__u__j = isInside__j & vec4<bool>(isRow__u);
    //#end
    //#end
    //#for u in 0..U
    //#for j in 0..KD/SG/4
    let x__u__j = select(vec4f(), x_at(params.xOffset + row__u * params.xRow + d__j) - center__j, isGiven__u__j);
    //#end
    //#end
    //#for u in 0..U
    //#for h in 0..NC/4
    let f__u__h = select(vec4f(), kept_at(row__u * params.features + at__h), isRow__u);
    var g__u__h = vec4f();
    //#end
    //#end
    //#for u in 0..U
    //#for j in 0..KD/SG/4
    let e__u__j = select(vec4f(), error_at(row__u * params.width + d__j), isGiven__u__j);
    //#end
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      //#for u in 0..U
      let element__u = vec4f(subgroupBroadcast(e__u__j[n], q));
      //#for h in 0..NC/4
      g__u__h = fma(element__u, panel[(4u * (j * SG + q) + n) * (NC / 4u) + h], g__u__h);
      //#end
      //#end
    }
    //#end
    //#end
    //#end
    //#for u in 0..U
    //#for h in 0..NC/4
    g__u__h = s * g__u__h + dsum__h;
    //#if FEATURE_GRADIENT
    //| g__u__h += df_at(row__u * params.features + at__h);
    //#end
    g__u__h = select(g__u__h, vec4f(), f__u__h <= vec4f());
    ofBias__h += g__u__h;
    //#end
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      //#for u in 0..U
      let element__u = vec4f(subgroupBroadcast(e__u__j[n], q));
      //#end
      //#for h in 0..NC/4
      var decoder__h = ofDecoder[(4u * (j * SG + q) + n) * (NC / 4u) + h];
      //#for u in 0..U
      decoder__h = fma(element__u, f__u__h, decoder__h);
      //#end
      ofDecoder[(4u * (j * SG + q) + n) * (NC / 4u) + h] = decoder__h;
      //#end
    }
    //#end
    //#end
    //#end
    //#for j in 0..KD/SG/4
    //#for q in 0..SG
    //#for n in 0..4
    {
      //#for u in 0..U
      let element__u = vec4f(subgroupBroadcast(x__u__j[n], q));
      //#end
      //#for h in 0..NC/4
      var encoder__h = ofEncoder[(4u * (j * SG + q) + n) * (NC / 4u) + h];
      //#for u in 0..U
      encoder__h = fma(element__u, g__u__h, encoder__h);
      //#end
      ofEncoder[(4u * (j * SG + q) + n) * (NC / 4u) + h] = encoder__h;
      //#end
    }
    //#end
    //#end
    //#end
  }

  // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
  let size = params.width * params.features;
  let slice = split * (2u * size + params.features);
  for (var k = 0u; k < params.width; k++) {
    //#for h in 0..NC/4
    let encoder__h = ofEncoder[k * (NC / 4u) + h];
    let decoder__h = s * ofDecoder[k * (NC / 4u) + h];
    //#for n in 0..4
    if (isOurs__h[n]) {
      partials[slice + k * params.features + at__h[n]] = encoder__h[n];
      partials[slice + size + at__h[n] * params.width + k] = decoder__h[n];
    }
    //#end
    //#end
  }
  //#for h in 0..NC/4
  //#for n in 0..4
  if (isOurs__h[n]) { partials[slice + 2u * size + at__h[n]] = ofBias__h[n]; }
  //#end
  //#end
}

fn total(i: u32) -> Element {
  let slice = (2u * params.width + 1u) * params.features / WIDE;
  var sum = Element();
  for (var split = 0u; split < params.splits; split++) { sum += parts[split * slice + i]; }
  return sum;
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let features = params.features / WIDE;
  let size = params.width * features;
  if (i < size) {
    dEncoder[i] = total(i);
  } else if (i < 2u * size) {
    dDecoder[i - size] = total(i);
  } else if (i < 2u * size + features) {
    dEncoderBias[i - 2u * size] = total(i);
  } else if (i < 2u * size + features + params.width) {
    let d = i - 2u * size - features;
    var sum = 0.0;
    for (var part = 0u; part < params.stretches; part++) { sum += errorParts[part * params.errorStep + d]; }
    sum *= slope_of_error();
    if (params.centered == 1u) {
      var ofCenter = Element();
      for (var feature = 0u; feature < features; feature++) {
        ofCenter = fma(encoder[d * features + feature], total(2u * size + feature), ofCenter);
      }
      //#if VEC
      //| sum -= dot(ofCenter, vec4f(1.0));
      //#else
      sum -= ofCenter;
      //#end
    }
    dDecoderBias[d] = sum;
  }
}
