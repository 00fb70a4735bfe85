/**
 * Where the result will run, as far as integer arithmetic is concerned. `auto` and `portable`: any
 * processor onnxruntime supports. `vnni` includes AVX-VNNI and AMX.
 */
export const TARGET_ISAS = ['auto', 'portable', 'avx2', 'avx512', 'vnni', 'neon'] as const
export type TargetIsa = (typeof TARGET_ISAS)[number]

export const DEVICES = ['cpu', 'cuda'] as const
export type Device = (typeof DEVICES)[number]
