// Generated from shaders/*.wgsl by scripts/gen_shaders.mjs; edit the WGSL and run `pnpm shaders`.

/** The WGSL source of every kernel family, by the name of its file. */
export const shaders = {
} as const;

/** The name of a file in `shaders/`, without its ending. */
export type ShaderName = keyof typeof shaders;
