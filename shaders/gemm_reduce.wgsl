// gemm_reduce — adds up the partial sums of a product split along k, in the order of the splits, and applies the product's epilogue.
//   partials [splits, slice] → out [slice]: rows of `n` elements, `outRow` apart, and from `rowSumsOffset` on row sums, which get no epilogue.
//   What lies between is left alone.
// Epilogue: out = activation(sum + bias[column]) + residual[row, column]; GELU: its slope goes to `slopes`. TIMES: times `times`.
// Dispatch: ceil(slice / 64) workgroups, folded into x and y.

struct Params {
  slice: u32, // elements of one split's sums
  splits: u32,
  n: u32,
  rows: u32, // over all batches
  outRow: u32,
  rowSumsOffset: u32,
  hasBias: u32,
  hasResidual: u32,
  residualOffset: u32,
  residualRow: u32,
}

const GELU = false; //#param
const TIMES = false; //#param

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
//#if GELU
@group(0) @binding(5) var<storage, read_write> slopes: array<f32>;
//#end
//#if TIMES
@group(0) @binding(6) var<storage, read> times: array<f32>;
//#end

//#include gelu

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let row = i / params.outRow;
  let column = i % params.outRow;
  let isProduct = row < params.rows && column < params.n;
  let isRowSum = i >= params.rowSumsOffset && i < params.slice;
  if (!isProduct && !isRowSum) { return; }

  var value = 0.0;
  for (var split = 0u; split < params.splits; split++) { value += partials[split * params.slice + i]; }
  if (isProduct) {
    if (params.hasBias != 0u) { value += bias[column]; }
    //#if GELU
    slopes[i] = gelu_slope(value);
    value = gelu(value);
    //#end
    //#if TIMES
    value *= times[i];
    //#end
    if (params.hasResidual != 0u) { value += residual[params.residualOffset + row * params.residualRow + column]; }
  }
  out[i] = value;
}
