import type { CalibrationStatistics } from '@pare/calibration'
import type { Model } from '@pare/graph'
import { calibratedRanges, quantizeFloat8 as quantize } from '@pare/quantization'

import type { StageParams, StageResult, StageSetting } from './stage.js'
import { writeDecisions, writeModel } from './stage-files.js'
import { unknownNames } from './unknown-names.js'

/**
 * What `quantize_static` does for float8 types. Nothing is searched: the algorithms against the error
 * of integers do not apply. Outputs `model`, `decisions`.
 */
export async function quantizeFloat8(
  context: StageSetting,
  model: Model,
  {
    statistics,
    params,
  }: {
    readonly statistics: CalibrationStatistics
    readonly params: Pick<
      StageParams<'quantize_static'>,
      'per_channel' | 'nodes_to_exclude' | 'op_types_to_quantize'
    >
  },
): Promise<StageResult<'model' | 'decisions'>> {
  const { op_types_to_quantize: opTypes } = params
  const {
    model: quantized,
    layers,
    diagnostics: found,
  } = quantize(model, calibratedRanges(model, statistics), {
    perChannel: params.per_channel,
    nodesToExclude: params.nodes_to_exclude,
    ...(opTypes.length === 0 ? {} : { opTypesToQuantize: opTypes }),
  })
  const diagnostics = [...unknownNames(model, params), ...found]
  const float8 = layers.filter(({ decision }) => decision !== 'float')
  return {
    outputs: [
      writeModel(context, quantized),
      await writeDecisions(context, { layers, diagnostics }),
    ],
    metrics: { layers_float8: float8.length, layers_float: layers.length - float8.length },
  }
}
