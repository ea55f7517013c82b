// optimizer — one step of SGD, Adam or AdamW over a flat arena of parameters, four elements an invocation.
//   clip_*: factor = min(1, maxNorm / (‖gradient‖ + 1e-6)), torch's clip_grad_norm_; norm in clip[1]. Two stages, fixed trees.
//   adam:   Kingma & Ba 2014; AdamW (Loshchilov & Hutter 2017) decays the weights apart from the gradient (`decoupled`).
//   sgd:    with momentum, dampening and Nesterov's form as in PyTorch.
// All flat tensors [length], length a multiple of 4. Rates, step counts and factors are data, so a captured step follows a schedule.
// Dispatch: adam, sgd: ceil(length / 256) workgroups; clip_partial: at most 256; clip_total: 1.

struct Params {
  start: u32,        // first vec4 of the stretch
  length: u32,       // in vec4
  clipped: u32,      // 1: scale gradients by clip[0]
  decoupled: u32,    // 1: AdamW, 0: decay added to the gradient
  learningRate: f32,
  weightDecay: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  correction1: f32,  // 1 - beta1^t
  correction2: f32,  // 1 - beta2^t
  momentum: f32,
  dampening: f32,    // 0 at the first step
  nesterov: u32,
  maxNorm: f32,
  partials: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
@group(0) @binding(2) var<storage, read> partialSums: array<f32>;
@group(0) @binding(1) var<storage, read_write> clipFactor: array<f32>;

var<workgroup> sums: array<f32, 64>;

fn linear_index(id: vec3u, groups: vec3u) -> u32 {
  return id.x + id.y * groups.x * 64u;
}

fn gradient_at(i: u32) -> vec4f {
  return select(gradients[i], gradients[i] * clip[0], params.clipped == 1u);
}

@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups);
  if (at >= params.length) { return; }
  let i = params.start + at;
  var value = values[i];
  var gradient = gradient_at(i);
  if (params.decoupled == 1u) {
    value *= 1.0 - params.learningRate * params.weightDecay;
  } else {
    gradient += params.weightDecay * value;
  }
  let m = params.beta1 * first[i] + (1.0 - params.beta1) * gradient;
  let v = params.beta2 * second[i] + (1.0 - params.beta2) * gradient * gradient;
  first[i] = m;
  second[i] = v;
  // epsilon outside of the root, as in PyTorch: a denormal v must not be divided by
  let denominator = sqrt(v) / sqrt(params.correction2) + params.epsilon;
  values[i] = value - (params.learningRate / params.correction1) * m / denominator;
}

@compute @workgroup_size(64)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups);
  if (at >= params.length) { return; }
  let i = params.start + at;
  let gradient = gradient_at(i) + params.weightDecay * values[i];
  let velocity = params.momentum * first[i] + (1.0 - params.dampening) * gradient;
  first[i] = velocity;
  let step = select(velocity, gradient + params.momentum * velocity, params.nesterov == 1u);
  values[i] -= params.learningRate * step;
}

fn tree_sum(lane: u32, mine: f32) -> f32 {
  sums[lane] = mine;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  return sums[0];
}

@compute @workgroup_size(64)
fn clip_partial(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = group.x * 64u + lane; i < params.length; i += groups.x * 64u) {
    let g = gradients[params.start + i];
    sum += dot(g, g);
  }
  let total = tree_sum(lane, sum);
  if (lane == 0u) { partial[group.x] = total; }
}

@compute @workgroup_size(64)
fn clip_total(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < params.partials; i += 64u) { sum += partialSums[i]; }
  let norm = sqrt(tree_sum(lane, sum));
  if (lane == 0u) {
    clipFactor[0] = min(1.0, params.maxNorm / (norm + 1e-6));
    clipFactor[1] = norm;
  }
}
