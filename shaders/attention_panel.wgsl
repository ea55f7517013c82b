// attention_panel — flash attention for adapters with small subgroups of a fixed size (software: lavapipe 8 lanes, SwiftShader 4).
// One subgroup a workgroup owns SG · R rows, R to a lane, in registers. The other side's rows come B at a time: lanes load them side by
// side as vec4, and each is spread to all lanes by subgroupBroadcast, which there costs a twentieth of a load. No workgroup memory, no
// barriers, no atomics. Formulas, operands and layouts as in attention_portable.wgsl; here D = 4 D4, everything aligned to 4 elements.
//
//   forward:            rows are queries; per step B keys and values → output, logsumexp
//   backward_query:     rows are queries; per step B keys and values → dq, delta
//   backward_key_value: rows are keys;    per step B queries and gradients → dk, dv
//
// Masked pairs weigh exactly 0; loads beyond the last row repeat it. A step may weigh rows after the diagonal by 0, so a NaN or infinity
// there can show up to B − 1 places early.
// Dispatch: heads · ceil(rows / (SG · R)) workgroups, folded into x and y. Light and heavy blocks of a causal mask take turns, because
// drivers hand out workgroups to threads in contiguous runs. Needs R ≥ 1, 1 ≤ B ≤ SG.

enable subgroups;

const D4 = 4u; //#param
const SG = 8u; //#param
const R = 2u; //#param
const B = 4u; //#param
const c = 0u; //#loop
const r = 0u; //#loop
const b = 0u; //#loop
const n = 0u; //#loop

struct Params {
  heads: u32,
  inner: u32,
  queries: u32,
  keys: u32,
  causal: u32,
  scale: f32,
  headSize: u32, // 4 D4; loops that end there are not spelled out
  queryLayout: array<vec4u, 1>,
  keyLayout: array<vec4u, 1>,
  valueLayout: array<vec4u, 1>,
  outputLayout: array<vec4u, 1>,
  gradientLayout: array<vec4u, 1>,
  queryGradientLayout: array<vec4u, 1>,
  keyGradientLayout: array<vec4u, 1>,
  valueGradientLayout: array<vec4u, 1>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> value: array<vec4f>;
@group(0) @binding(4) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(5) var<storage, read> logsumexp: array<f32>;
@group(0) @binding(6) var<storage, read> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> rowResult: array<f32>;
@group(0) @binding(9) var<storage, read> output: array<vec4f>;

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;
const MASKED = -1e30;
/// vec4 loads by which a subgroup fetches B rows.
const LOADS = (B * D4 + SG - 1u) / SG;

/// Where a row of a tensor starts, in vec4.
fn row_start(place: vec4u, head: u32, row: u32) -> u32 {
  return (place.x + head / params.inner * place.y + head % params.inner * place.z + row * place.w) / 4u;
}

/// 0, n − 1, 1, n − 2, …: neighbours have together about the same work under a causal mask.
fn alternate(at: u32, count: u32) -> u32 {
  return select(at / 2u, count - 1u - at / 2u, at % 2u == 1u);
}

@compute @workgroup_size(SG)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.queries + SG * R - 1u) / (SG * R);
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block / blocks;
  let first = alternate(block % blocks, blocks) * SG * R;
  //#for r in 0..R
  let i__r = first + r * SG + lane;
  let end__r = select(params.keys, i__r + 1u, params.causal != 0u);
  var top__r = MASKED;
  var total__r = 0.0;
  //#end
  var held: array<vec4f, R * D4>;
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = min(first + n / D4 * SG + lane, params.queries - 1u);
    held[n] = query[row_start(params.queryLayout[0], head, row) + n % D4] * (params.scale * LOG2_E);
  }
  //#for r in 0..R
  //#for c in 0..D4
  let q__r__c = held[r * D4 + c];
  var sum__r__c = vec4f();
  //#end
  //#end
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  let end = select(params.keys, min(first + SG * R, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j += B) {
    var keys: array<vec4f, LOADS>;
    var values: array<vec4f, LOADS>;
    //#for n in 0..(B * D4 + SG - 1) / SG
    let row__n = min(j + (n * SG + lane) / D4, params.keys - 1u);
    let chunk__n = (n * SG + lane) % D4;
    keys[n] = key[keyRows + row__n * (params.keyLayout[0].w / 4u) + chunk__n];
    values[n] = value[valueRows + row__n * (params.valueLayout[0].w / 4u) + chunk__n];
    //#end
    //#for b in 0..B
    //#for r in 0..R
    var p__r__b = 0.0;
    //#end
    //#for c in 0..D4
    let k__b__c = subgroupBroadcast(keys[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    p__r__b += dot(q__r__c, k__b__c);
    //#end
    //#end
    //#end
    //#for r in 0..R
    var higher__r = top__r;
    //#for b in 0..B
    p__r__b = select(MASKED, p__r__b, j + b < min(end__r, params.keys));
    higher__r = max(higher__r, p__r__b);
    //#end
    let shrink__r = exp2(top__r - higher__r);
    top__r = higher__r;
    total__r *= shrink__r;
    //#for b in 0..B
    p__r__b = exp2(p__r__b - higher__r);
    total__r += p__r__b;
    //#end
    //#for c in 0..D4
    sum__r__c *= shrink__r;
    //#end
    //#end
    //#for b in 0..B
    //#for c in 0..D4
    let v__b__c = subgroupBroadcast(values[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    sum__r__c += p__r__b * v__b__c;
    //#end
    //#end
    //#end
  }
  var logs: array<f32, R>;
  //#for r in 0..R
  // Without keys there is nothing to weigh: 0, as the empty sum is.
  let weight__r = select(1.0 / total__r, 0.0, end == 0u);
  logs[r] = top__r + log2(total__r);
  //#for c in 0..D4
  held[r * D4 + c] = sum__r__c * weight__r;
  //#end
  //#end
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = first + n / D4 * SG + lane;
    if (row < params.queries) {
      result[row_start(params.outputLayout[0], head, row) + n % D4] = held[n];
      rowResult[head * params.queries + row] = logs[n / D4];
    }
  }
}

@compute @workgroup_size(SG)
fn backward_query(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.queries + SG * R - 1u) / (SG * R);
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block / blocks;
  let first = alternate(block % blocks, blocks) * SG * R;
  //#for r in 0..R
  let i__r = first + r * SG + lane;
  let end__r = select(params.keys, i__r + 1u, params.causal != 0u);
  //#end
  var held: array<vec4f, R * D4>;
  var heldToo: array<vec4f, R * D4>;
  var deltas: array<f32, R>;
  var logs: array<f32, R>;
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = min(first + n / D4 * SG + lane, params.queries - 1u);
    let g = gradient[row_start(params.gradientLayout[0], head, row) + n % D4];
    held[n] = query[row_start(params.queryLayout[0], head, row) + n % D4] * (params.scale * LOG2_E);
    heldToo[n] = g;
    deltas[n / D4] += dot(output[row_start(params.outputLayout[0], head, row) + n % D4], g);
    logs[n / D4] = logsumexp[head * params.queries + row];
  }
  //#for r in 0..R
  let delta__r = deltas[r];
  let logsumexp__r = logs[r];
  //#for c in 0..D4
  let q__r__c = held[r * D4 + c];
  let g__r__c = heldToo[r * D4 + c];
  var sum__r__c = vec4f();
  //#end
  //#end
  let keyRows = row_start(params.keyLayout[0], head, 0u);
  let valueRows = row_start(params.valueLayout[0], head, 0u);
  let end = select(params.keys, min(first + SG * R, params.keys), params.causal != 0u);
  for (var j = 0u; j < end; j += B) {
    var keys: array<vec4f, LOADS>;
    var values: array<vec4f, LOADS>;
    //#for n in 0..(B * D4 + SG - 1) / SG
    let row__n = min(j + (n * SG + lane) / D4, params.keys - 1u);
    let chunk__n = (n * SG + lane) % D4;
    keys[n] = key[keyRows + row__n * (params.keyLayout[0].w / 4u) + chunk__n];
    values[n] = value[valueRows + row__n * (params.valueLayout[0].w / 4u) + chunk__n];
    //#end
    //#for b in 0..B
    //#for r in 0..R
    var score__r__b = 0.0;
    var dp__r__b = 0.0;
    //#end
    //#for c in 0..D4
    let k__b__c = subgroupBroadcast(keys[(b * D4 + c) / SG], (b * D4 + c) % SG);
    let v__b__c = subgroupBroadcast(values[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    score__r__b += dot(q__r__c, k__b__c);
    dp__r__b += dot(g__r__c, v__b__c);
    //#end
    //#end
    //#for r in 0..R
    let p__r__b = select(0.0, exp2(score__r__b - logsumexp__r), j + b < min(end__r, params.keys));
    let ds__r__b = p__r__b * (dp__r__b - delta__r);
    //#for c in 0..D4
    sum__r__c += ds__r__b * k__b__c;
    //#end
    //#end
    //#end
  }
  //#for r in 0..R
  //#for c in 0..D4
  held[r * D4 + c] = sum__r__c * params.scale;
  //#end
  //#end
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = first + n / D4 * SG + lane;
    if (row < params.queries) {
      rowResult[head * params.queries + row] = deltas[n / D4];
      result[row_start(params.queryGradientLayout[0], head, row) + n % D4] = held[n];
    }
  }
}

@compute @workgroup_size(SG)
fn backward_key_value(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let blocks = (params.keys + SG * R - 1u) / (SG * R);
  let block = group.x + group.y * groups.x;
  if (block >= params.heads * blocks) { return; }
  let head = block / blocks;
  let first = alternate(block % blocks, blocks) * SG * R;
  //#for r in 0..R
  let j__r = first + r * SG + lane;
  let begin__r = select(0u, j__r, params.causal != 0u);
  //#end
  var held: array<vec4f, R * D4>;
  var heldToo: array<vec4f, R * D4>;
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = min(first + n / D4 * SG + lane, params.keys - 1u);
    held[n] = key[row_start(params.keyLayout[0], head, row) + n % D4];
    heldToo[n] = value[row_start(params.valueLayout[0], head, row) + n % D4];
  }
  //#for r in 0..R
  //#for c in 0..D4
  let k__r__c = held[r * D4 + c];
  let v__r__c = heldToo[r * D4 + c];
  var keySum__r__c = vec4f();
  var valueSum__r__c = vec4f();
  //#end
  //#end
  let queryRows = row_start(params.queryLayout[0], head, 0u);
  let gradientRows = row_start(params.gradientLayout[0], head, 0u);
  for (var i = select(0u, first, params.causal != 0u); i < params.queries; i += B) {
    var queries: array<vec4f, LOADS>;
    var gradients: array<vec4f, LOADS>;
    //#for n in 0..(B * D4 + SG - 1) / SG
    let row__n = min(i + (n * SG + lane) / D4, params.queries - 1u);
    let chunk__n = (n * SG + lane) % D4;
    queries[n] = query[queryRows + row__n * (params.queryLayout[0].w / 4u) + chunk__n] * (params.scale * LOG2_E);
    gradients[n] = gradient[gradientRows + row__n * (params.gradientLayout[0].w / 4u) + chunk__n];
    //#end
    let row = head * params.queries + min(i + lane % B, params.queries - 1u);
    let logsumexps = logsumexp[row];
    let deltas = delta[row];
    //#for b in 0..B
    //#for r in 0..R
    var score__r__b = 0.0;
    var dp__r__b = 0.0;
    //#end
    //#for c in 0..D4
    let q__b__c = subgroupBroadcast(queries[(b * D4 + c) / SG], (b * D4 + c) % SG);
    let g__b__c = subgroupBroadcast(gradients[(b * D4 + c) / SG], (b * D4 + c) % SG);
    //#for r in 0..R
    score__r__b += dot(k__r__c, q__b__c);
    dp__r__b += dot(v__r__c, g__b__c);
    //#end
    //#end
    let logsumexp__b = subgroupBroadcast(logsumexps, b);
    let delta__b = subgroupBroadcast(deltas, b);
    //#for r in 0..R
    let p__r__b = select(0.0, exp2(score__r__b - logsumexp__b), begin__r <= i + b && i + b < params.queries);
    let ds__r__b = p__r__b * (dp__r__b - delta__b);
    //#for c in 0..D4
    keySum__r__c += ds__r__b * q__b__c;
    valueSum__r__c += p__r__b * g__b__c;
    //#end
    //#end
    //#end
  }
  //#for r in 0..R
  //#for c in 0..D4
  held[r * D4 + c] = keySum__r__c * LN_2; // the queries carry scale · log2 e
  heldToo[r * D4 + c] = valueSum__r__c;
  //#end
  //#end
  for (var n = 0u; n < R * params.headSize / 4u; n++) {
    let row = first + n / D4 * SG + lane;
    if (row < params.keys) {
      result[row_start(params.keyGradientLayout[0], head, row) + n % D4] = held[n];
      result[row_start(params.valueGradientLayout[0], head, row) + n % D4] = heldToo[n];
    }
  }
}
