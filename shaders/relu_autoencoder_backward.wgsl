// relu_autoencoder_backward — gradients of an autoencoder with ReLU for software adapters: see relu_autoencoder.
//   g, the gradient before the ReLU, = f ≤ 0 ? 0 : s·(e·Wdᵀ) + sumsScale·dsums (+ df), where y's gradient is s·e; it is used at once for
//   partials [splits, D·F + F·D + F] of each stretch of rows: xcᵀ·g, s·fᵀ·e and the sums of g's columns.
// A device binds 8 arrays at most: where df is wanted, s is 1, and there is no slope.
// It has the form of relu_autoencoder_encode, with the gradients as well in private memory, and takes U rows at a time: a store to private memory in a loop
// blends with what was there.
// Dispatch: a workgroup for every SG·NC features × stretch of rows.

enable subgroups;

const SG = 8u; //#param
const NC = 4u; //#param
const KD = 64u; //#param
const U = 2u; //#param
const FEATURE_GRADIENT = false; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const h = 0u; //#loop
const n = 0u; //#loop
const u = 0u; //#loop

//#include relu_autoencoder

@group(0) @binding(2) var<storage, read> decoder: array<f32>;
//#if VEC
//| @group(0) @binding(3) var<storage, read> error: array<vec4f>;
//| @group(0) @binding(6) var<storage, read> kept: array<vec4f>;
//| @group(0) @binding(8) var<storage, read> df: array<vec4f>;
//#else
@group(0) @binding(3) var<storage, read> error: array<f32>;
@group(0) @binding(6) var<storage, read> kept: array<f32>;
@group(0) @binding(8) var<storage, read> df: array<f32>;
//#end
@group(0) @binding(4) var<storage, read> center: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
@group(0) @binding(7) var<storage, read> dsums: array<f32>;
@group(0) @binding(8) var<storage, read> slope: array<f32>;

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

fn slope_of_error() -> f32 {
  //#if FEATURE_GRADIENT
  //| return 1.0;
  //#else
  if (params.hasSlope == 0u) { return 1.0; }
  return params.scale * slope[0];
  //#end
}

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let split = group / blocks;
  if (split >= params.splits) { return; }
  let first = SG * NC * (group % blocks) + 4u * lane;
  let firstRow = split * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);
  let s = slope_of_error();

  var given = array<f32, NC>();
  for (var n = 0u; n < min(NC, params.hasSums * params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) { given[n] = dsums[params.sumsOffset + feature * params.sumsStep]; }
  }
  //#for h in 0..NC/4
  let feature__h = four_from(first + feature_of(4u * h));
  let isOurs__h = feature__h < vec4u(params.features);
  let at__h = select(vec4u(), feature__h, isOurs__h);
  let dsum__h = params.sumsScale * vec4f(given[4u * h], given[4u * h + 1u], given[4u * h + 2u], given[4u * h + 3u]);
  var ofBias__h = vec4f();
  //#end
  // Weights that meet the j-th vectors of e and x, and their gradients: their k-th element's, of feature c, at k·NC + c.
  //#for j in 0..KD/SG/4
  var panel__j: array<f32, 4 * SG * NC>;
  var ofEncoder__j: array<f32, 4 * SG * NC>;
  var ofDecoder__j: array<f32, 4 * SG * NC>;
  for (var n = 0u; n < 4 * SG * NC; n++) {
    let k = 4 * SG * j + n / NC;
    let feature = first + feature_of(n % NC);
    if (k < params.width && feature < params.features) { panel__j[n] = decoder[feature * params.width + k]; }
  }
  //#end
  var centers = array<f32, KD / SG>();
  for (var n = 0u; n < min(KD / SG, params.centered * params.width); n++) {
    let column = column_of(lane, n);
    if (column < params.width) { centers[n] = center[column]; }
  }
  // From beyond the edge a lane takes the row's first column, and no notice of it.
  //#for j in 0..KD/SG/4
  let column__j = four_from(column_of(lane, 4u * j));
  let isInside__j = column__j < vec4u(params.width);
  let d__j = select(vec4u(), column__j, isInside__j);
  let center__j = vec4f(centers[4u * j], centers[4u * j + 1u], centers[4u * j + 2u], centers[4u * j + 3u]);
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
      //#end
      //#for h in 0..NC/4
      const at__h = (4u * q + n) * NC + 4u * h;
      let weights__h = vec4f(panel__j[at__h], panel__j[at__h + 1u], panel__j[at__h + 2u], panel__j[at__h + 3u]);
      var decoder__h = vec4f(ofDecoder__j[at__h], ofDecoder__j[at__h + 1u], ofDecoder__j[at__h + 2u], ofDecoder__j[at__h + 3u]);
      //#for u in 0..U
      g__u__h = fma(element__u, weights__h, g__u__h);
      decoder__h = fma(element__u, f__u__h, decoder__h);
      //#end
      ofDecoder__j[at__h] = decoder__h.x;
      ofDecoder__j[at__h + 1u] = decoder__h.y;
      ofDecoder__j[at__h + 2u] = decoder__h.z;
      ofDecoder__j[at__h + 3u] = decoder__h.w;
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
      let element__u = vec4f(subgroupBroadcast(x__u__j[n], q));
      //#end
      //#for h in 0..NC/4
      const at__h = (4u * q + n) * NC + 4u * h;
      var encoder__h = vec4f(ofEncoder__j[at__h], ofEncoder__j[at__h + 1u], ofEncoder__j[at__h + 2u], ofEncoder__j[at__h + 3u]);
      //#for u in 0..U
      encoder__h = fma(element__u, g__u__h, encoder__h);
      //#end
      ofEncoder__j[at__h] = encoder__h.x;
      ofEncoder__j[at__h + 1u] = encoder__h.y;
      ofEncoder__j[at__h + 2u] = encoder__h.z;
      ofEncoder__j[at__h + 3u] = encoder__h.w;
      //#end
    }
    //#end
    //#end
    //#end
  }

  // In a loop, though it makes private memory slow: spelled out, these stores would take longer to compile than all the rest.
  let size = params.width * params.features;
  let slice = split * (2u * size + params.features);
  //#for j in 0..KD/SG/4
  for (var n = 0u; n < NC * min(4 * SG, params.width - min(params.width, 4 * SG * j)); n++) {
    let k = 4 * SG * j + n / NC;
    let feature = first + feature_of(n % NC);
    if (feature < params.features) {
      partials[slice + k * params.features + feature] = ofEncoder__j[n];
      partials[slice + size + feature * params.width + k] = s * ofDecoder__j[n];
    }
  }
  //#end
  var ofBias = array<f32, NC>();
  //#for h in 0..NC/4
  //#for n in 0..4
  ofBias[4u * h + n] = ofBias__h[n];
  //#end
  //#end
  for (var n = 0u; n < min(NC, params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) { partials[slice + 2u * size + feature] = ofBias[n]; }
  }
}
