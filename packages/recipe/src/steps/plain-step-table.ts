import type { StepSpec } from '../language/parameter.js'
import { clusterWeights } from './cluster-weights.js'
import { convertFloat16 } from './convert-float16.js'
import { pruneWeights } from './prune-weights.js'
import { quantizeDynamic } from './quantize-dynamic.js'
import { quantizeStatic } from './quantize-static.js'
import { quantizeWeights } from './quantize-weights.js'

/** The steps that change a model once, in alphabetical order: all that a `repeat` may hold. */
export const PLAIN_STEP_TABLE = {
  cluster_weights: clusterWeights,
  convert_float16: convertFloat16,
  prune_weights: pruneWeights,
  quantize_dynamic: quantizeDynamic,
  quantize_static: quantizeStatic,
  quantize_weights: quantizeWeights,
} as const satisfies Record<string, StepSpec>
