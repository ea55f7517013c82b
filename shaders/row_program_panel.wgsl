// row_program_panel — row_program where a workgroup's lanes are one small subgroup (software: lavapipe 8 lanes, SwiftShader 4). Steps, constants
// and caches as in row_program.wgsl.
//
// Vectors lie in the lanes' private memory, element i with lane i % SG, and pass from lane to lane by shuffles: there is no barrier. Lavapipe
// makes a coroutine of a kernel that has one, in which nothing stays in registers and a load costs twice as much.
// A vector starts at a multiple of SG; its last SG are filled up with zeros.
//
// ATTEND: each lane walks every SG-th row of a cache with an online softmax of its own (Milakov and Gimelshein, arXiv 1805.02867); the query's own
// key and value are lane 0's first, and put into the cache, where nobody reads them in this dispatch.
// Dispatch: rows workgroups.

enable subgroups;
diagnostic(off, subgroup_uniformity);

const SG = 8u; //#param
const COLUMNS = 4u; //#param
const D4 = 4u; //#param
const FLOATS = 1024u; //#param
const c = 0u; //#loop

//#include row_steps
//#include gelu

/// Element i of all vectors is number i / SG of lane i % SG.
var<private> vectors: array<f32, FLOATS / SG>;

/// What a step writes: element i, of this lane. Beyond its size it is 0.
fn put(step: vec4u, row: u32, i: u32, value: f32) {
  if (step.w == 0u) {
    vectors[(step.y + i) / SG] = select(0.0, value, i < step.z);
  } else if (i < step.z) {
    result[row * params.resultSize + i] = value;
  }
}

/// An element of a vector, for all lanes.
fn element(i: u32) -> f32 {
  return subgroupShuffle(vectors[i / SG], i % SG);
}

/// Four neighbours of a vector from its element 4 chunk, for all lanes.
fn four_at(start: u32, chunk: u32) -> vec4f {
  let mine = vectors[start / SG + 4u * chunk / SG];
  let first = 4u * chunk % SG;
  return vec4f(
    subgroupShuffle(mine, first),
    subgroupShuffle(mine, first + 1u),
    subgroupShuffle(mine, first + 2u),
    subgroupShuffle(mine, first + 3u),
  );
}

/// Four neighbours from an element anywhere, the first few of which count.
fn few_at(i: u32, count: u32) -> vec4f {
  let four = vec4f(element(i), element(i + 1u), element(i + 2u), element(i + 3u));
  return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

/// This lane's element i of another vector, 0 without one.
fn other_at(start: u32, i: u32) -> f32 {
  if (start == NONE) { return 0.0; }
  return vectors[(start + i) / SG];
}

fn pick(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let id = ids[row * params.ids + about.x];
  let start = about.z + min(id, about.y - 1u) * ((step.z + 3u) / 4u);
  for (var i = lane; i < step.z + lane; i += SG) {
    put(step, row, i, select(bitcast<f32>(params.missing), constant_at(start, i, 0.0) + other_at(about.w, i), id < about.y));
  }
}

fn normalize(step: vec4u, about: vec4u, row: u32, lane: u32) {
  let slots = (step.z + SG - 1u) / SG;
  let first = about.x / SG;
  var sum = 0.0;
  for (var k = 0u; k < slots; k++) { sum += vectors[first + k]; }
  let center = subgroupAdd(sum) / f32(step.z);
  var squares = 0.0;
  for (var k = 0u; k < slots; k++) {
    let d = vectors[first + k] - center;
    squares += select(0.0, d * d, k * SG + lane < step.z);
  }
  let scale = 1.0 / sqrt(subgroupAdd(squares) / f32(step.z) + bitcast<f32>(about.w));
  for (var k = 0u; k < slots; k++) {
    let i = k * SG + lane;
    put(step, row, i, (vectors[first + k] - center) * scale * constant_at(about.y, i, 1.0) + constant_at(about.z, i, 0.0));
  }
}

/// A lane has COLUMNS elements of the result at a time.
fn linear(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let size = step.z;
  let chunks = (about.y + 3u) / 4u;
  var finished: array<f32, COLUMNS>;
  for (var first = 0u; first < size; first += COLUMNS * SG) {
    //#for c in 0..COLUMNS
    let place__c = about.z + min(first + c * SG + lane, size - 1u);
    var sum__c = 0.0;
    //#end
    for (var k = 0u; k < chunks; k++) {
      let x = four_at(about.x, k);
      //#for c in 0..COLUMNS
      sum__c += dot(x, constants[place__c + k * size]);
      //#end
    }
    //#for c in 0..COLUMNS
    finished[c] = sum__c;
    //#end
    let columns = min(COLUMNS, (size - first + SG - 1u) / SG); // no constant: a loop that is spelled out takes long to compile
    for (var i = 0u; i < columns; i++) {
      let column = first + i * SG + lane;
      var value = finished[i] + constant_at(about.w, min(column, size - 1u), 0.0);
      if (more.x != 0u) { value = gelu(value); }
      put(step, row, column, value + other_at(more.y, column));
    }
  }
}

fn attend(step: vec4u, about: vec4u, more: vec4u, row: u32, lane: u32) {
  let heads = about.y;
  let headSize = about.z;
  let grows = more.z != 0u;
  let length = select(params.kept, params.grown, grows);
  if (step.w == 0u) { vectors[(step.y + step.z - 1u) / SG] = 0.0; } // what lies beyond the size
  for (var head = 0u; head < heads; head++) {
    let rows = more.x + (row * heads + head) * more.y * D4;
    var q: array<vec4f, D4>;
    var sum = array<vec4f, D4>();
    var top = -1e30;
    var total = 0.0;
    for (var i = 0u; i < D4; i++) {
      q[i] = few_at(about.x + head * headSize + 4u * i, headSize - min(headSize, 4u * i)) * (LOG2_E / sqrt(f32(headSize)));
    }
    if (grows) {
      let own = about.x + (heads + head) * headSize;
      let place = rows + params.grown * D4;
      var score = 0.0;
      for (var i = 0u; i < D4; i++) {
        let count = headSize - min(headSize, 4u * i);
        let key = few_at(own + 4u * i, count);
        let value = few_at(own + heads * headSize + 4u * i, count);
        score += dot(q[i], key);
        if (lane == 0u) {
          keys[place + i] = key;
          values[place + i] = value;
          sum[i] = value;
        }
      }
      if (lane == 0u) {
        top = max(top, score);
        total = weight_of(score, top);
        for (var i = 0u; i < D4; i++) { sum[i] *= total; }
      }
    }
    for (var j = lane; j < length; j += SG) {
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
    let shrink = exp2(top - subgroupMax(top));
    total = subgroupAdd(total * shrink);
    // Without keys there is nothing to weigh: 0, as the empty sum is.
    let weight = select(1.0 / total, 0.0, length == 0u && !grows);
    for (var i = 0u; i < D4; i++) { sum[i] = subgroupAdd(sum[i] * shrink) * weight; }
    for (var d = 0u; d < headSize; d++) {
      let e = head * headSize + d;
      if (e % SG == lane) { put(step, row, e, sum[d / 4u][d % 4u]); }
    }
  }
}

@compute @workgroup_size(SG)
fn run(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
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
  }
}
