/**
 * The engine's typed errors. Every one is a {@link TensorError}, so `catch (e) { if (e instanceof TensorError) … }` tells the engine's
 * complaints from bugs in the program around it.
 */

/** Base of everything the engine throws on purpose. */
export class TensorError extends Error {
  override name = "TensorError";
}

/** Shapes, axes or strides that an op cannot take: names the op, the shapes and the rule that was broken. */
export class ShapeError extends TensorError {
  override name = "ShapeError";
}

/** A dtype that an op cannot take. */
export class DTypeError extends TensorError {
  override name = "DTypeError";
}

/** No usable adapter, a refused backend, or a GPU validation error: work after it would be wrong, so it is fatal. */
export class DeviceError extends TensorError {
  override name = "DeviceError";
}

/** The device went away (driver reset, tab suspended, `destroy()`): everything on it is gone, pending reads reject with this. */
export class DeviceLostError extends DeviceError {
  override name = "DeviceLostError";
}

/** A tensor does not fit: names the tensor, its bytes and the limit it broke. */
export class OutOfMemoryError extends DeviceError {
  override name = "OutOfMemoryError";
}

/** One or several shaders did not compile: lists all of them, each with line, column and the line of WGSL. */
export class ShaderError extends DeviceError {
  override name = "ShaderError";
}

/** Something that a captured step cannot contain, such as a readback, or a use of a step's temporary outside of it. */
export class CaptureError extends TensorError {
  override name = "CaptureError";
}

/** Wrong use of autograd: backward of a non-scalar without a gradient, a second backward through a freed graph, … */
export class AutogradError extends TensorError {
  override name = "AutogradError";
}

/** Wrong use of a hook: one that waits for values, returns something that does not fit, never runs, or names nothing. */
export class HookError extends TensorError {
  override name = "HookError";
}
