// sum_slices — adds up what workgroups left of a sum that they shared: out[i] = Σ_s partials[s · slice + i], in the order of s.
//   main:  the places i < first, and from `second` on, secondCount of them; what lies between is left alone
//   table: many such sums in one launch, each workgroup its own: 256 places or fewer of `out`, whichever a line of `table` says
// Both give the same bits. Elements are f32.
// Dispatch: main ceil((first + secondCount) / 64) workgroups; table a workgroup a line; folded into x and y.

struct Params {
  first: u32,
  second: u32,
  secondCount: u32,
  slice: u32,
  splits: u32,
  lines: u32,
}

/// Places `place` … `place + count` of out are sums of `splits` places of partials from `source` on, `slice` apart.
struct Line {
  source: u32,
  place: u32,
  count: u32,
  slice: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read> lines: array<Line>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= params.first + params.secondCount) { return; }
  let place = select(i, i - params.first + params.second, i >= params.first);
  var sum = 0.0;
  for (var s = 0u; s < params.splits; s++) { sum += partials[place + s * params.slice]; }
  out[place] = sum;
}

@compute @workgroup_size(64)
fn table(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = group.x + group.y * groups.x;
  if (at >= params.lines) { return; }
  let line = lines[at];
  for (var i = lane; i < line.count; i += 64u) {
    var sum = 0.0;
    for (var s = 0u; s < line.splits; s++) { sum += partials[line.source + i + s * line.slice]; }
    out[line.place + i] = sum;
  }
}
