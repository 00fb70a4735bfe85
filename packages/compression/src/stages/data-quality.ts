// What calibration says of its data, beside the statistics.
import {
  assessData,
  calibrate,
  type CalibrationStatistics,
  type DataDiagnostic,
  type DataQuality,
  findDeadChannels,
  inputDrift,
  InputWatch,
  rangeDrift,
} from '@pare/calibration'
import type { Batch } from '@pare/datasets'
import type { Model } from '@pare/graph'

import { withCalibrationBatches } from './calibration-batches.js'
import type { StageContext } from './stage.js'

/** Enough to see whether a channel moves at all. */
const DEAD_CHANNEL_SAMPLES = 64
/** Of the validation data: its inputs are read, and the model is run on fewer of them. */
const DRIFT_SAMPLES = 256
const DRIFT_RUN_SAMPLES = 64

export interface Calibrated {
  readonly model: Model
  readonly inputs: InputWatch
  readonly statistics: CalibrationStatistics
}

/** Runs the model on a few samples more, of the calibration data and of the input `validation`. */
export async function assessDataQuality(
  context: StageContext,
  calibrated: Calibrated,
): Promise<DataQuality> {
  const { model, statistics } = calibrated
  const ranks = new Map(Object.entries(statistics.tensors).map(([name, { rank }]) => [name, rank]))
  const fed = new Set(model.graph.inputs.map(({ name }) => name))
  const deadChannels = await withCalibrationBatches(
    context,
    { model, samples: Math.min(statistics.samples, DEAD_CHANNEL_SAMPLES) },
    (batches) =>
      findDeadChannels({
        ...{ model, batches, ranks, runtime: context.runtime },
        points: [...ranks.keys()].filter((name) => !fed.has(name)),
        threads: context.threads,
        device: context.device,
      }),
  )
  const more = await driftToValidation(context, calibrated)
  return assessData({ ...calibrated, deadChannels, more })
}

async function driftToValidation(
  context: StageContext,
  { model, inputs, statistics }: Calibrated,
): Promise<readonly DataDiagnostic[]> {
  const [calibration, validation] = ['calibration', 'validation'].map(
    (role) => context.inputs.find((input) => input.role === role)?.sha256,
  )
  if (validation === undefined || validation === calibration) return []
  const watch = new InputWatch()
  const data = { model, role: 'validation' }
  await withCalibrationBatches(context, { ...data, samples: DRIFT_SAMPLES }, async (batches) => {
    for await (const batch of batches) watch.add(batch)
  })
  const other = await withCalibrationBatches(
    context,
    { ...data, samples: DRIFT_RUN_SAMPLES },
    (batches) =>
      calibrate({
        ...{ model, batches, points: Object.keys(statistics.tensors) },
        runtime: context.runtime,
        threads: context.threads,
        device: context.device,
      }),
  )
  return [...inputDrift(inputs.summaries(), watch.summaries()), ...rangeDrift(statistics, other)]
}

/** The batches, each seen by `watch` on its way. */
export async function* watched(
  batches: AsyncIterable<Batch>,
  watch: InputWatch,
): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    watch.add(batch)
    yield batch
  }
}
