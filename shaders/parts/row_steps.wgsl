// What a row program's steps are written in: see row_program.wgsl.
struct Params {
  steps: u32,
  ids: u32, // a row
  resultSize: u32,
  grown: u32,
  kept: u32,
  missing: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> steps: array<vec4u>;
@group(0) @binding(2) var<storage, read> constants: array<vec4f>;
@group(0) @binding(3) var<storage, read> ids: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> result: array<f32>;

const PICK = 0u;
const NORM = 1u;
const LINEAR = 2u;
const NONE = 0xffffffffu;
const LOG2_E = 1.4426950408889634;

/// An element of a vector in `constants`, or what stands for it where there is none.
fn constant_at(start: u32, i: u32, otherwise: f32) -> f32 {
  if (start == NONE) { return otherwise; }
  return constants[start + i / 4u][i % 4u];
}

/// 2^(score − top), and NaN for a score that is NaN: exp2 makes a number of it on some drivers.
fn weight_of(score: f32, top: f32) -> f32 {
  return select(exp2(score - top), score, (bitcast<u32>(score) & 0x7fffffffu) > 0x7f800000u);
}
