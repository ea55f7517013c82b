// relu_sums — y = max(x, 0) with each column's sum and count of what is above 0, in one pass; and its gradient.
//   forward:  y of x [rows, 4·columns], and partials [stretches, 2, 4·columns]: sums, then counts, of every stretch of rows.
//   gradient: dx = y ≤ 0 ? 0 : dy + dsums[column].
// NaN stays NaN and is not counted. Everything dense; a column here is four neighbours. Counts are f32: exact up to 2^24 rows a stretch.
// Dispatch: forward: ceil(columns·stretches / 64) workgroups; gradient: ceil(rows·columns / 64).

struct Params {
  rows: u32,
  columns: u32,
  stretches: u32,
  hasDy: u32,
  hasSums: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> kept: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> dsums: array<vec4f>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * 64u;
  if (at >= params.columns * params.stretches) { return; }
  let column = at % params.columns;
  let stretch = at / params.columns;
  var sums = vec4f();
  var counts = vec4f();
  for (var row = stretch; row < params.rows; row += params.stretches) {
    let i = row * params.columns + column;
    let v = x[i];
    let value = select(v, vec4f(), v <= vec4f());
    y[i] = value;
    sums += value;
    counts += select(vec4f(), vec4f(1.0), v > vec4f());
  }
  partials[2u * stretch * params.columns + column] = sums;
  partials[(2u * stretch + 1u) * params.columns + column] = counts;
}

@compute @workgroup_size(64)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.rows * params.columns) { return; }
  var slope = vec4f();
  if (params.hasDy == 1u) { slope += dy[i]; }
  if (params.hasSums == 1u) { slope += dsums[i % params.columns]; }
  dx[i] = select(slope, vec4f(), kept[i] <= vec4f());
}
