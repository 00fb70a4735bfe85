// Every stage by its kind. A new kind is a row here and in STAGE_KINDS.
import { calibrate } from './calibrate.js'
import { convertFloat16 } from './convert-float16.js'
import { evaluate } from './evaluate.js'
import { inspectDataset } from './inspect-dataset.js'
import { inspectModel } from './inspect-model.js'
import { prepare } from './prepare.js'
import { quantizeDynamic } from './quantize-dynamic.js'
import { quantizeStatic } from './quantize-static.js'
import { quantizeWeights } from './quantize-weights.js'
import { report } from './report.js'
import type { StageFunction, StageKind } from './stage.js'

export const stageFunctions = {
  calibrate,
  convert_float16: convertFloat16,
  evaluate,
  inspect_dataset: inspectDataset,
  inspect_model: inspectModel,
  prepare,
  quantize_dynamic: quantizeDynamic,
  quantize_static: quantizeStatic,
  quantize_weights: quantizeWeights,
  report,
} as const satisfies Record<StageKind, StageFunction>
