// What the kernels of an autoencoder with ReLU share: see relu_autoencoder.wgsl.
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

const VEC = false; //#param

@group(0) @binding(0) var<uniform> params: Params;
//#if VEC
//| @group(0) @binding(1) var<storage, read> x: array<vec4f>;
//#else
@group(0) @binding(1) var<storage, read> x: array<f32>;
//#end

// Elements at four neighbouring places, or with VEC at those that begin with the first.
fn x_at(place: vec4u) -> vec4f {
  //#if VEC
  //| return x[place.x / 4u];
  //#else
  return vec4f(x[place.x], x[place.y], x[place.z], x[place.w]);
  //#end
}

fn four_from(start: u32) -> vec4u { return vec4u(start) + vec4u(0u, 1u, 2u, 3u); }

// Of a lane's features the n-th, from its first; and of its columns the n-th.
fn feature_of(n: u32) -> u32 { return n / 4u * 4u * SG + n % 4u; }
fn column_of(lane: u32, n: u32) -> u32 { return 4u * (n / 4u * SG + lane) + n % 4u; }
