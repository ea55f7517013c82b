// embedding — whole rows picked by an index.
//   table [outer, vocab, inner], index [n] → out [outer, n, inner]:  out[o, j, i] = table[o, index[j], i].
// Elements are 4 bytes of any dtype, moved as bits. An index beyond vocab (a negative one is) gives rows of `missing`.
// A column is VEC elements of inner: 4, or 1 where 4 does not divide it; one invocation each.
// Dispatch: ceil(outer · n · columns / 64) workgroups, folded into x and y.

const VEC = 4u; //#param

struct Params {
  size: u32,
  n: u32,
  vocab: u32,
  // inner / VEC
  columns: u32,
  missing: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> table4: array<vec4u>;
@group(0) @binding(2) var<storage, read> table1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out4: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> out1: array<u32>;

@compute @workgroup_size(64)
fn pick(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size) { return; }
  let row = i / params.columns;
  let v = index[row % params.n];
  let at = ((row / params.n) * params.vocab + min(v, params.vocab - 1u)) * params.columns + i % params.columns;
  let known = v < params.vocab;
  //#if VEC == 4
  out4[i] = select(vec4u(params.missing), table4[at], known);
  //#else
  //| out1[i] = select(params.missing, table1[at], known);
  //#end
}
