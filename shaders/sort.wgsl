// sort — rows sorted, or their first k places found, each by one workgroup.
// Keys are compared as u32 (see `sortable`), equal keys by place: so there are no ties and the network below sorts stably.
//   short_rows: input [rows, n] → values, places [rows, n] in order; n ≤ 2048. A workgroup sorts as many rows as fit.
//               Dispatch: ceil(rows · width / 2048), folded; width is n rounded up to a power of two.
//   smallest:   input [rows, n] → values, places [rows · pieces, k], the k least keys of each piece of a row, in order; k ≤ width ≤ 1024.
//               A row is cut into `pieces` of lengths that differ by at most 1, at least k. Places count within the row; with `mapped` they
//               are those that `map` [rows, n] has there, so that candidates found in pieces can be sifted again.
//               Dispatch: rows · pieces, folded.
// Elements are 4 bytes of any dtype. values are the elements themselves (−0 and NaNs keep their bits).
// Source: Batcher, Sorting networks and their applications, 1968 (bitonic sort); radix selection as in Alabi et al., Fast k-selection
// algorithms for graphics processing units, 2012.

const LANES = 256u; //#param

struct Params {
  rows: u32,
  n: u32,
  // A power of two: places that the network sorts together.
  width: u32,
  k: u32,
  pieces: u32,
  // 8-bit digits that tell the places of a row apart.
  placeDigits: u32,
  mapped: u32,
  // 1: f32, 2: i32, 3: u32.
  kind: u32,
  // All ones for descending order, else 0.
  flip: u32,
}

const CAPACITY = 2048u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;
@group(0) @binding(4) var<storage, read> map: array<u32>;

var<workgroup> keys: array<u32, CAPACITY>;
var<workgroup> owners: array<u32, CAPACITY>;
var<workgroup> few_keys: array<u32, 1024>;
var<workgroup> few_owners: array<u32, 1024>;
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> blocks: array<u32, 16>;
var<workgroup> chosen: vec3u;
var<workgroup> taken: atomic<u32>;

/** An order-preserving map to u32: −0 equals 0, and every NaN is the greatest. */
fn sortable(bits: u32) -> u32 {
  if (params.kind == 3u) { return bits ^ params.flip; }
  if (params.kind == 2u) { return (bits ^ 0x80000000u) ^ params.flip; }
  let magnitude = bits & 0x7fffffffu;
  var key = select(~bits, bits | 0x80000000u, bits == magnitude);
  key = select(key, 0x80000000u, magnitude == 0u);
  key = select(key, 0xffffffffu, magnitude > 0x7f800000u);
  return key ^ params.flip;
}

/** The lower one of the i-th pair of places that are `distance` (a power of two) apart. */
fn pair(i: u32, distance: u32) -> u32 {
  return (i / distance) * distance * 2u + i % distance;
}

@compute @workgroup_size(256)
fn short_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let width = params.width;
  let from_row = (group.x + group.y * groups.x) * (CAPACITY / width);
  for (var i = lane; i < CAPACITY; i += 256u) {
    let row = from_row + i / width;
    let at = i % width;
    // What is beyond the row sorts behind all of it: its key is the greatest and its place too.
    let inside = row < params.rows && at < params.n;
    keys[i] = select(0xffffffffu, sortable(input[min(row, params.rows - 1u) * params.n + min(at, params.n - 1u)]), inside);
    owners[i] = at;
  }
  for (var run = 2u; run <= width; run *= 2u) {
    for (var distance = run / 2u; distance > 0u; distance /= 2u) {
      workgroupBarrier();
      for (var i = lane; i < CAPACITY / 2u; i += 256u) {
        let a = pair(i, distance);
        let b = a + distance;
        let ascending = ((a % width) & run) == 0u;
        let behind = keys[a] > keys[b] || (keys[a] == keys[b] && owners[a] > owners[b]);
        if (behind == ascending) {
          let key = keys[a];
          keys[a] = keys[b];
          keys[b] = key;
          let owner = owners[a];
          owners[a] = owners[b];
          owners[b] = owner;
        }
      }
    }
  }
  workgroupBarrier();
  for (var i = lane; i < CAPACITY; i += 256u) {
    let row = from_row + i / width;
    let at = i % width;
    if (row < params.rows && at < params.n) {
      values[row * params.n + at] = input[row * params.n + owners[i]];
      places[row * params.n + at] = owners[i];
    }
  }
}

@compute @workgroup_size(LANES)
fn smallest(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let w = group.x + group.y * groups.x;
  let live = w < params.rows * params.pieces;
  let row = min(w, params.rows * params.pieces - 1u) / params.pieces;
  let piece = w % params.pieces;
  let share = params.n / params.pieces;
  let rest = params.n % params.pieces;
  let base = row * params.n;
  let begin = piece * share + min(piece, rest);
  let end = begin + share + select(0u, 1u, piece < rest);

  // The k-th least (key, place), digit by digit from the top: four digits of the key, then those of the place. It stops once everything that
  // agrees with the digits so far is wanted, mostly after two or three.
  var prefix = vec2u(0u);
  var wanted = params.k;
  for (var digit = 0u; digit < 4u + params.placeDigits; digit++) {
    let word = select(0u, 1u, digit >= 4u);
    let shift = 8u * (select(3u, 3u + params.placeDigits, word == 1u) - digit);
    for (var i = lane; i < 256u; i += LANES) { atomicStore(&histogram[i], 0u); }
    workgroupBarrier();
    for (var i = begin + lane; i < end; i += LANES) {
      let pair_here = vec2u(sortable(input[base + i]), i);
      // Shifted in two steps: a shift by 32 is undefined.
      let same_top = ((pair_here[word] ^ prefix[word]) >> shift) >> 8u == 0u;
      if (same_top && (word == 0u || pair_here.x == prefix.x)) { atomicAdd(&histogram[(pair_here[word] >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    for (var b = lane; b < 16u; b += LANES) {
      var sum = 0u;
      for (var i = 0u; i < 16u; i++) { sum += atomicLoad(&histogram[b * 16u + i]); }
      blocks[b] = sum;
    }
    workgroupBarrier();
    if (lane == 0u) {
      var left = wanted;
      var b = 0u;
      while (b < 15u && blocks[b] < left) {
        left -= blocks[b];
        b++;
      }
      var i = b * 16u;
      while (i < b * 16u + 15u && atomicLoad(&histogram[i]) < left) {
        left -= atomicLoad(&histogram[i]);
        i++;
      }
      chosen = vec3u(i, left, atomicLoad(&histogram[i]));
    }
    let choice = workgroupUniformLoad(&chosen);
    prefix[word] |= choice.x << shift;
    wanted = choice.y;
    if (choice.z == wanted) {
      prefix[word] |= (1u << shift) - 1u;
      if (word == 0u) { prefix.y = 0xffffffffu; }
      break;
    }
  }

  // Whatever slots they get, the network puts the chosen ones in the only order there is.
  if (lane == 0u) { atomicStore(&taken, 0u); }
  for (var i = lane; i < params.width; i += LANES) {
    few_keys[i] = 0xffffffffu;
    few_owners[i] = 0xffffffffu;
  }
  workgroupBarrier();
  for (var i = begin + lane; i < end; i += LANES) {
    let key = sortable(input[base + i]);
    if (key < prefix.x || (key == prefix.x && i <= prefix.y)) {
      let slot = atomicAdd(&taken, 1u);
      few_keys[slot] = key;
      few_owners[slot] = i;
    }
  }
  for (var run = 2u; run <= params.width; run *= 2u) {
    for (var distance = run / 2u; distance > 0u; distance /= 2u) {
      workgroupBarrier();
      for (var i = lane; i < params.width / 2u; i += LANES) {
        let a = pair(i, distance);
        let b = a + distance;
        let ascending = (a & run) == 0u;
        let behind = few_keys[a] > few_keys[b] || (few_keys[a] == few_keys[b] && few_owners[a] > few_owners[b]);
        if (behind == ascending) {
          let key = few_keys[a];
          few_keys[a] = few_keys[b];
          few_keys[b] = key;
          let owner = few_owners[a];
          few_owners[a] = few_owners[b];
          few_owners[b] = owner;
        }
      }
    }
  }
  workgroupBarrier();
  if (live) {
    for (var i = lane; i < params.k; i += LANES) {
      let place = few_owners[i];
      values[w * params.k + i] = input[base + place];
      var origin = place;
      if (params.mapped != 0u) { origin = map[base + place]; }
      places[w * params.k + i] = origin;
    }
  }
}
