// relu_autoencoder_encode — the features of an autoencoder with ReLU for software adapters: see relu_autoencoder.
//   f [B, F] = max((x − center)·We + be, 0); and partials [stretches, 2, F]: sums of f's columns, and how many in them are above 0, of each stretch
//   of rows. center is b_dec, or where x is not centered 0.
// It has gemm_panel's form, and holds for its reasons: one subgroup a workgroup walks down rows, with its SG·NC features' weights in private memory.
// A row is loaded once, and each element broadcast; lane l carries columns, and works on features, 4·l … 4·l + 3 of each 4·SG.
// Preconditions: the subgroup size is SG, NC is a multiple of 4 and KD of 4·SG.
// Dispatch: a workgroup for every SG·NC features × stretch of rows.

enable subgroups;

const SG = 8u; //#param
const NC = 8u; //#param
const KD = 64u; //#param
const j = 0u; //#loop
const q = 0u; //#loop
const h = 0u; //#loop
const n = 0u; //#loop

//#include relu_autoencoder

@group(0) @binding(2) var<storage, read> encoder: array<f32>;
@group(0) @binding(3) var<storage, read> encoderBias: array<f32>;
@group(0) @binding(4) var<storage, read> center: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;
//#if VEC
//| @group(0) @binding(6) var<storage, read_write> f: array<vec4f>;
//#else
@group(0) @binding(6) var<storage, read_write> f: array<f32>;
//#end

@compute @workgroup_size(SG)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let blocks = (params.features + SG * NC - 1u) / (SG * NC);
  let group = id.x + id.y * groups.x;
  let part = group / blocks;
  if (part >= params.stretches) { return; }
  let first = SG * NC * (group % blocks) + 4u * lane;
  let firstRow = part * params.stretch;
  let endRow = min(params.rows, firstRow + params.stretch);

  var biases = array<f32, NC>();
  for (var n = 0u; n < min(NC, params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) { biases[n] = encoderBias[feature]; }
  }
  //#for h in 0..NC/4
  let feature__h = four_from(first + feature_of(4u * h));
  let isOurs__h = feature__h < vec4u(params.features);
  let at__h = select(vec4u(), feature__h, isOurs__h);
  let bias__h = vec4f(biases[4u * h], biases[4u * h + 1u], biases[4u * h + 2u], biases[4u * h + 3u]);
  var value__h = vec4f();
  var sum__h = vec4f();
  var count__h = vec4f();
  //#end
  // Weights that meet the j-th vectors of x: its k-th element's, of feature c, at k·NC + c.
  //#for j in 0..KD/SG/4
  var panel__j: array<f32, 4 * SG * NC>;
  for (var n = 0u; n < 4 * SG * NC; n++) {
    let k = 4 * SG * j + n / NC;
    let feature = first + feature_of(n % NC);
    if (k < params.width && feature < params.features) { panel__j[n] = encoder[k * params.features + feature]; }
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
      const at__h = (4u * q + n) * NC + 4u * h;
      value__h = fma(element, vec4f(panel__j[at__h], panel__j[at__h + 1u], panel__j[at__h + 2u], panel__j[at__h + 3u]), value__h);
      //#end
    }
    //#end
    //#end
    //#end
  }
  var columnSums = array<f32, NC>();
  var columnCounts = array<f32, NC>();
  //#for h in 0..NC/4
  //#for n in 0..4
  columnSums[4u * h + n] = sum__h[n];
  columnCounts[4u * h + n] = count__h[n];
  //#end
  //#end
  for (var n = 0u; n < min(NC, params.features); n++) {
    let feature = first + feature_of(n);
    if (feature < params.features) {
      partials[2u * part * params.features + feature] = columnSums[n];
      partials[(2u * part + 1u) * params.features + feature] = columnCounts[n];
    }
  }
}
