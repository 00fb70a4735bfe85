export { convertFloat16, type ConvertFloat16Result } from './convert-float16.js'
export { float16ObservationPoints } from './float16-observation-points.js'
export {
  type ActivationRanges,
  type ConvertFloat16Options,
  FLOAT16_BLOCKED_OPS,
} from './options.js'
export { type Float16ReadBack, readBackFloat16 } from './read-back-float16.js'
export type { Float16LayerReport } from './report.js'
