// embedding — whole rows picked by an index.
//   table [outer, vocab, inner], index [n] → out [outer, n, inner]:  out[o, j, i] = table[o, index[j], i].
//   PLUS: plus [period, inner], f32, is added, its row j mod period to row j: positions to tokens.
// Elements are 4 bytes of any dtype, moved as bits. An index beyond vocab (a negative one is) gives rows of `missing`.
// A column is VEC elements of inner: 4, or 1 where 4 does not divide it; one invocation each.
// Dispatch: ceil(outer · n · columns / 64) workgroups, folded into x and y.

const VEC = 4u; //#param
const PLUS = false; //#param

struct Params {
  size: u32,
  n: u32,
  vocab: u32,
  // inner / VEC
  columns: u32,
  missing: u32,
  period: u32,
  // First of `plus`, and from one of its rows to the next, in columns.
  plusOffset: u32,
  plusRow: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> table4: array<vec4u>;
@group(0) @binding(2) var<storage, read> table1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> out1: array<u32>;
@group(0) @binding(4) var<storage, read> plus4: array<vec4f>;
@group(0) @binding(4) var<storage, read> plus1: array<f32>;

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size) { return; }
  let row = i / params.columns;
  let v = index[row % params.n];
  let at = ((row / params.n) * params.vocab + min(v, params.vocab - 1u)) * params.columns + i % params.columns;
  let known = v < params.vocab;
  //#if PLUS
  let plus = params.plusOffset + row % params.period * params.plusRow + i % params.columns;
  //#end
  //#if VEC == 4
  var value = select(vec4u(params.missing), table4[at], known);
  //#if PLUS
  value = bitcast<vec4u>(bitcast<vec4f>(value) + plus4[plus]);
  //#end
  out4[i] = value;
  //#else
  //| var value = select(params.missing, table1[at], known);
  //#if PLUS
  //| value = bitcast<u32>(bitcast<f32>(value) + plus1[plus]);
  //#end
  //| out1[i] = value;
  //#end
}
