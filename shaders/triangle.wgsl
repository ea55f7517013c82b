// triangle — keeps one triangle of every matrix and puts zeros elsewhere.
//   mask: out[…, r, c] = x[…, r, c] where side · (c - r - diagonal) <= 0, else 0
// x, out: [..., rows, columns], dense, 4-byte elements of any dtype. side is 1 for the lower triangle and -1 for the upper one.
// Dispatch: ceil(size / 64) workgroups, folded into x and y.

struct Params {
  size: u32,
  rows: u32,
  columns: u32,
  diagonal: i32,
  side: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<u32>;

@compute @workgroup_size(64)
fn mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.size) { return; }
  let row = i32(i / params.columns % params.rows);
  let column = i32(i % params.columns);
  out[i] = select(0u, x[i], params.side * (column - row - params.diagonal) <= 0);
}
