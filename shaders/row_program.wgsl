// row_program — a list of steps on vectors, for each of a few rows, in one launch: what a token costs a small model that decodes with kept
// keys and values. Launches cost more than such steps do, a barrier next to nothing.
//
// A workgroup has a row, and keeps its vectors in workgroup memory. `steps` says what it does, three vec4u a step:
//   (kind, to, size, isResult), then two of its kind's own. It writes `size` elements at `to`, or, isResult, to the row's result.
//   PICK    (id, count, table, other), ()       row number ids[row, id] of a table [count, size], + the vector `other`; NaN beyond the table
//   NORM    (from, weight, bias, eps), ()       (x − mean) / √(variance + eps) · weight + bias
//   LINEAR  (from, length, weight, bias), (gelu, other)     gelu?(weight · x + bias) + the vector `other`
//   ATTEND  (from, heads, headSize, together), (cache, capacity, grows)     Σ_j softmax_j(q · k_j / √D) v_j over the rows of a cache
// Vectors are places in workgroup memory, NONE where there is none; tables, weights and biases are places in `constants`, in vec4.
//   constants: vectors, and a table's rows, take whole vec4. A weight [size, length] lies as [ceil(length / 4), size] vec4 along the length,
//   zeros beyond it, so that neighbouring lanes read neighbours.
//   keys, values: a cache is [rows, heads, capacity, D4] vec4 from vec4 `cache`, its elements beyond D 0. With `grows` it has params.grown
//   rows, and x holds query, key and value of all heads: key and value become the next row, which is attended to as well. Else it has
//   params.kept rows, and x holds the queries.
//
// ATTEND as in attention_cached: `together` heads, a power of 2, share the lanes; each lane has an online softmax (Milakov and Gimelshein,
// arXiv 1805.02867), put together in a tree.
// Dispatch: rows workgroups.

const LANES = 8u; //#param
const COLUMNS = 4u; //#param
const D4 = 4u; //#param
const FLOATS = 1024u; //#param
const c = 0u; //#loop

//#include row_steps
//#include gelu

var<workgroup> vectors: array<f32, FLOATS>;
/// Of ATTEND: each lane's highest score, in units of log 2; then the highest of its head.
var<workgroup> tops: array<f32, LANES>;
/// Of ATTEND: each lane's chunks of weighted values, and behind them in x the sum of the weights.
var<workgroup> sums: array<array<vec4f, D4 + 1u>, LANES>;

/// What a step writes.
fn put(step: vec4u, row: u32, i: u32, value: f32) {
  if (step.w != 0u) { result[row * params.resultSize + i] = value; } else { vectors[step.y + i] = value; }
}

/// Four neighbours of a vector from its element 4 chunk; 0 beyond its size.
fn four_at(start: u32, chunk: u32, size: u32) -> vec4f {
  let i = start + 4u * chunk;
  let four = vec4f(vectors[i], vectors[i + 1u], vectors[i + 2u], vectors[i + 3u]);
  return select(vec4f(), four, 4u * chunk + vec4u(0u, 1u, 2u, 3u) < vec4u(size));
}

fn other_at(start: u32, i: u32) -> f32 {
  if (start == NONE) { return 0.0; }
  return vectors[start + i];
}

fn added(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn pick(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let id = ids[row * params.ids + about.x];
  let start = about.z + min(id, about.y - 1u) * ((step.z + 3u) / 4u);
  for (var i = lane; i < step.z; i += LANES) {
    put(step, row, i, select(bitcast<f32>(params.missing), constant_at(start, i, 0.0) + other_at(about.w, i), id < about.y));
  }
}

/// Every lane adds up the whole vector: for one as short that costs less than to put parts together.
fn normalize(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let chunks = (step.z + 3u) / 4u;
  var sum = vec4f();
  for (var k = 0u; k < chunks; k++) { sum += four_at(about.x, k, step.z); }
  let center = added(sum) / f32(step.z);
  var squares = vec4f();
  for (var k = 0u; k < chunks; k++) {
    let i = about.x + 4u * k;
    let d = vec4f(vectors[i], vectors[i + 1u], vectors[i + 2u], vectors[i + 3u]) - center;
    squares += select(vec4f(), d * d, 4u * k + vec4u(0u, 1u, 2u, 3u) < vec4u(step.z));
  }
  let scale = 1.0 / sqrt(added(squares) / f32(step.z) + bitcast<f32>(about.w));
  for (var i = lane; i < step.z; i += LANES) {
    put(step, row, i, (vectors[about.x + i] - center) * scale * constant_at(about.y, i, 1.0) + constant_at(about.z, i, 0.0));
  }
}

/// A lane has COLUMNS elements of the result at a time.
fn linear(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let size = step.z;
  let chunks = (about.y + 3u) / 4u;
  var finished: array<f32, COLUMNS>;
  for (var first = 0u; first < size; first += COLUMNS * LANES) {
    //#for c in 0..COLUMNS
    let place__c = about.z + min(first + c * LANES + lane, size - 1u);
    var sum__c = 0.0;
    //#end
    for (var k = 0u; k < chunks; k++) {
      let x = four_at(about.x, k, about.y);
      //#for c in 0..COLUMNS
      sum__c += dot(x, constants[place__c + k * size]);
      //#end
    }
    //#for c in 0..COLUMNS
    finished[c] = sum__c;
    //#end
    let columns = min(COLUMNS, (size - first + LANES - 1u) / LANES); // no constant: a loop that is spelled out takes long to compile
    for (var i = 0u; i < columns; i++) {
      let column = first + i * LANES + lane;
      if (column < size) {
        var value = finished[i] + constant_at(about.w, column, 0.0);
        if (more.x != 0u) { value = gelu(value); }
        put(step, row, column, value + other_at(more.y, column));
      }
    }
  }
}

fn attend(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let heads = about.y;
  let headSize = about.z;
  let chunks = (headSize + 3u) / 4u; // D4; no constant, so that not all loops are spelled out
  let grows = more.z != 0u;
  var length = params.kept;
  if (grows) {
    length = params.grown + 1u;
    for (var i = lane; i < heads * chunks; i += LANES) {
      let head = i / chunks;
      let place = more.x + ((row * heads + head) * more.y + params.grown) * D4 + i % chunks;
      let key = about.x + (heads + head) * headSize;
      keys[place] = four_at(key, i % chunks, headSize);
      values[place] = four_at(key + heads * headSize, i % chunks, headSize);
    }
  }
  storageBarrier();

  let lanes = LANES / about.w; // a head's
  let part = lane % lanes;
  for (var first = 0u; first < heads; first += about.w) {
    let asked = first + lane / lanes;
    let isThere = asked < heads;
    let head = min(asked, heads - 1u);
    let rows = more.x + (row * heads + head) * more.y * D4;
    var q: array<vec4f, D4>;
    var sum = array<vec4f, D4>(); // spelled out: some drivers clear it once, not in every turn
    for (var i = 0u; i < D4; i++) { q[i] = four_at(about.x + head * headSize, i, headSize) * (LOG2_E / sqrt(f32(headSize))); }
    var top = -1e30;
    var total = 0.0;
    for (var j = part; j < select(0u, length, isThere); j += lanes) {
      let place = rows + j * D4;
      var score = 0.0;
      for (var i = 0u; i < D4; i++) { score += dot(q[i], keys[place + i]); }
      let higher = max(top, score);
      let shrink = exp2(top - higher);
      let p = weight_of(score, higher);
      top = higher;
      total = total * shrink + p;
      for (var i = 0u; i < D4; i++) { sum[i] = sum[i] * shrink + p * values[place + i]; }
    }

    tops[lane] = top;
    workgroupBarrier();
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      if (part < half) { tops[lane] = max(tops[lane], tops[lane + half]); }
      workgroupBarrier();
    }
    let shrink = exp2(top - tops[lane - part]);
    for (var i = 0u; i < D4; i++) { sums[lane][i] = sum[i] * shrink; }
    sums[lane][D4] = vec4f(total * shrink);
    workgroupBarrier();
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
      if (part < half) {
        for (var i = 0u; i <= chunks; i++) { sums[lane][i] += sums[lane + half][i]; }
      }
      workgroupBarrier();
    }
    if (isThere) {
      // Without keys there is nothing to weigh: 0, as the empty sum is.
      let weight = select(1.0 / sums[lane - part][D4].x, 0.0, length == 0u);
      for (var d = part; d < headSize; d += lanes) { put(step, row, head * headSize + d, sums[lane - part][d / 4u][d % 4u] * weight); }
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(LANES)
fn run(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var i = 0u; i < params.steps; i++) {
    let step = steps[3u * i];
    let about = steps[3u * i + 1u];
    let more = steps[3u * i + 2u];
    switch step.x {
      case PICK: { pick(step, about, group.x, lane); }
      case NORM: { normalize(step, about, group.x, lane); }
      case LINEAR: { linear(step, about, more, group.x, lane); }
      default: { attend(step, about, more, group.x, lane); }
    }
    workgroupBarrier();
  }
}
