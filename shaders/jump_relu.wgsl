// jump_relu — y = z > θ ? z : 0 with a threshold for each column, its straight-through gradient (Rajamanoharan et al., arXiv 2407.14435), and
// the columns' sums that sparse autoencoders are trained on, in one pass each way. z, y [rows, width], all else [width]; everything dense.
//   forward:  y; SUMS: partials [stretches, 3, width] of every stretch of rows: Σ p, Σ max(θ − z, 0), and how many z > θ,
//             where p is tanh(s·y) with TANH, and else 1 where z > θ.
//   gradient: dz; PARAMETERS: partials [stretches, 2, width]: those of θ, and of s. With K = 1 where |z − θ| < ε/2, and G = dy, with TANH
//             dy + dsums·s·(1 − p²):
//               dz = (z > θ ? G : 0) − (z < θ ? dmissing : 0)
//               dθ = (z < θ ? dmissing : 0) − K/ε·(θ·G + (TANH ? 0 : dsums))
//               ds = dsums·y·(1 − p²)
// A NaN is not above θ. VEC: a column here is four neighbours; needs widths that are multiples of 4. Counts are f32: exact up to 2^24 rows a stretch.
// Dispatch: ceil(width / WIDE · stretches / 64) workgroups.

const VEC = true; //#param
const SUMS = true; //#param
const TANH = true; //#param
const PARAMETERS = true; //#param

struct Params {
  rows: u32,
  columns: u32, // width / WIDE
  stretches: u32,
  epsilon: f32,
  hasDy: u32,
  hasSums: u32,
  hasMissing: u32,
}

//#if VEC
alias Element = vec4f;
alias Truth = vec4<bool>;
//#else
//| alias Element = f32;
//| alias Truth = bool;
//#end

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> z: array<Element>;
@group(0) @binding(2) var<storage, read> theta: array<Element>;
@group(0) @binding(3) var<storage, read> scale: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(4) var<storage, read_write> dz: array<Element>;
@group(0) @binding(5) var<storage, read_write> partials: array<Element>;
@group(0) @binding(6) var<storage, read> dy: array<Element>;
@group(0) @binding(7) var<storage, read> dsums: array<Element>;
@group(0) @binding(8) var<storage, read> dmissing: array<Element>;

//#include hyperbolic_tangent

fn tanh_of(v: Element) -> Element {
  //#if VEC
  return hyperbolic_tangent(v);
  //#else
  //| return hyperbolic_tangent(vec4f(v)).x;
  //#end
}

fn if_true(is: Truth, value: Element) -> Element { return select(Element(), value, is); }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.columns * params.stretches) { return; }
  let column = at % params.columns;
  let stretch = at / params.columns;
  let threshold = theta[column];
  //#if SUMS
  //#if TANH
  let s = scale[column];
  //#end
  var penalties = Element();
  var missing = Element();
  var counts = Element();
  //#end
  for (var row = stretch; row < params.rows; row += params.stretches) {
    let i = row * params.columns + column;
    let value = z[i];
    let isOn = value > threshold;
    let kept = if_true(isOn, value);
    y[i] = kept;
    //#if SUMS
    let one = if_true(isOn, Element(1.0));
    counts += one;
    missing += select(threshold - value, Element(), value >= threshold);
    //#if TANH
    penalties += tanh_of(s * kept);
    //#else
    //| penalties += one;
    //#end
    //#end
  }
  //#if SUMS
  let first = 3u * stretch * params.columns + column;
  partials[first] = penalties;
  partials[first + params.columns] = missing;
  partials[first + 2u * params.columns] = counts;
  //#end
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.columns * params.stretches) { return; }
  let column = at % params.columns;
  let stretch = at / params.columns;
  let threshold = theta[column];
  let ofSums = if_true(Truth(params.hasSums == 1u), dsums[column]);
  let ofMissing = if_true(Truth(params.hasMissing == 1u), dmissing[column]);
  //#if TANH
  let s = scale[column];
  //#end
  //#if PARAMETERS
  var ofThreshold = Element();
  var ofScale = Element();
  //#end
  for (var row = stretch; row < params.rows; row += params.stretches) {
    let i = row * params.columns + column;
    let value = z[i];
    let isOn = value > threshold;
    let missed = if_true(value < threshold, ofMissing);
    var g = Element();
    if (params.hasDy == 1u) { g = dy[i]; }
    //#if TANH
    let kept = if_true(isOn, value);
    let p = tanh_of(s * kept);
    let slope = ofSums * (Element(1.0) - p * p);
    g += s * slope;
    //#end
    dz[i] = if_true(isOn, g) - missed;
    //#if PARAMETERS
    let isNear = abs(value - threshold) < Element(0.5 * params.epsilon);
    //#if TANH
    ofThreshold += missed - if_true(isNear, threshold * g / params.epsilon);
    ofScale += kept * slope;
    //#else
    //| ofThreshold += missed - if_true(isNear, (threshold * g + ofSums) / params.epsilon);
    //#end
    //#end
  }
  //#if PARAMETERS
  partials[2u * stretch * params.columns + column] = ofThreshold;
  partials[(2u * stretch + 1u) * params.columns + column] = ofScale;
  //#end
}
