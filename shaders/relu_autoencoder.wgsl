// relu_autoencoder — a training step of an autoencoder with ReLU for software adapters, in few passes over its features f [B, F].
//   xc = x − center (b_dec or 0), f = max(xc·We + be, 0), y = f·Wd + b_dec (a product like any other), e = y − x; x and y [B, D], D ≤ KD.
//   relu_autoencoder_encode.main:   f, and sums of its columns.
//   measure:  e; and partials [stretches, 2, D]: sums of e's columns, and of their squares.
//   add_up:   scale·Σ e² + totalScale·Σ f, and each of them, of the partials of measure and of encode; the latter's stretches are `splits`.
//   relu_autoencoder_backward.main: gradients of We, Wd and be, of stretches of rows.
//   finish:   adds the splits up to dWe [D, F], dWd [F, D] and dbe [F]; and db_dec = s·Σ e − We·dbe, the latter if x is centered.
// We, Wd, the biases, e, y and f are dense; x has any stride between rows. NaN stays NaN and is not counted.
//   VEC: what is moved much is moved as vec4; needs D, F, and x's offset and stride to be multiples of 4
// Dispatch: measure: ceil(ceil(D / 4)·stretches / 64); add_up: 1; finish: ceil(((2·D·F + F) / WIDE + D) / 64).

enable subgroups;

const SG = 8u; //#param
const n = 0u; //#loop

//#include relu_autoencoder

//#if VEC
//| alias Element = vec4f;
//| const WIDE = 4u;
//| @group(0) @binding(2) var<storage, read> y: array<vec4f>;
//| @group(0) @binding(3) var<storage, read_write> e: array<vec4f>;
//| @group(0) @binding(1) var<storage, read> parts: array<vec4f>;
//| @group(0) @binding(2) var<storage, read> encoder: array<vec4f>;
//| @group(0) @binding(4) var<storage, read_write> dEncoder: array<vec4f>;
//| @group(0) @binding(5) var<storage, read_write> dDecoder: array<vec4f>;
//| @group(0) @binding(6) var<storage, read_write> dEncoderBias: array<vec4f>;
//#else
alias Element = f32;
const WIDE = 1u;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> e: array<f32>;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read> encoder: array<f32>;
@group(0) @binding(4) var<storage, read_write> dEncoder: array<f32>;
@group(0) @binding(5) var<storage, read_write> dDecoder: array<f32>;
@group(0) @binding(6) var<storage, read_write> dEncoderBias: array<f32>;
//#end
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(3) var<storage, read> errorParts: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(7) var<storage, read_write> dDecoderBias: array<f32>;
@group(0) @binding(8) var<storage, read> slope: array<f32>;

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
  if (lane < 3u) { losses[lane] = select(0.0, ofSquares, lane != 2u) + select(0.0, ofFeatures, lane != 1u); }
}

fn slope_of_error() -> f32 {
  if (params.hasSlope == 0u) { return 1.0; }
  return params.scale * slope[0];
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
  let all = 2u * size + features;
  let own = total(min(i, all - 1u)); // asked for once: three times would take as often as long to compile
  if (i < size) {
    dEncoder[i] = own;
  } else if (i < 2u * size) {
    dDecoder[i - size] = own;
  } else if (i < all) {
    dEncoderBias[i - 2u * size] = own;
  } else if (i < all + params.width) {
    let d = i - all;
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
