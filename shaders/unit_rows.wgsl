// unit_rows — rows of unit norm under an optimizer: what the decoders of sparse autoencoders are held to. One row an invocation.
//   reject:    out[r] = x[r] − (x[r]·w[r] / ‖w[r]‖²) w[r]; x[r] itself where w[r] is 0. x of any strides, w and out [rows, columns] dense.
//   normalize: w[r] = w[r] / max(‖w[r]‖, 1e-8), in place.
// Dispatch: ceil(rows / 64) workgroups.

struct Params {
  rows: u32,
  columns: u32,
  offset: u32,       // x: first element,
  rowStride: u32,    // from row to row,
  columnStride: u32, // from column to column
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn reject(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let r = id.x + id.y * groups.x * 64u;
  if (r >= params.rows) { return; }
  let from_x = params.offset + r * params.rowStride;
  let from_w = r * params.columns;
  var along = 0.0;
  var norm = 0.0;
  for (var c = 0u; c < params.columns; c++) {
    let direction = w[from_w + c];
    along += x[from_x + c * params.columnStride] * direction;
    norm += direction * direction;
  }
  let part = select(0.0, along / norm, norm > 0.0);
  for (var c = 0u; c < params.columns; c++) { out[from_w + c] = x[from_x + c * params.columnStride] - part * w[from_w + c]; }
}

@compute @workgroup_size(64)
fn normalize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let r = id.x + id.y * groups.x * 64u;
  if (r >= params.rows) { return; }
  let start = r * params.columns;
  var norm = 0.0;
  for (var c = 0u; c < params.columns; c++) { norm += rows[start + c] * rows[start + c]; }
  let divisor = max(sqrt(norm), 1e-8);
  for (var c = 0u; c < params.columns; c++) { rows[start + c] = rows[start + c] / divisor; }
}
