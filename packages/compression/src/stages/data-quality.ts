// What calibration says of its data, beside the statistics.
import {
  assessData,
  calibrate,
  type CalibrationStatistics,
  type DataDiagnostic,
  type DataQuality,
  DEAD_CHANNEL_VALUES,
  findDeadChannels,
  inputDrift,
  InputWatch,
  rangeDrift,
} from '@pare/calibration'
import type { Batch } from '@pare/datasets'
import { definedValues, type Model } from '@pare/graph'

import { withCalibrationBatches } from './calibration-batches.js'
import type { StageSetting } from './stage.js'

/** Enough to see whether a channel moves at all. */
const DEAD_CHANNEL_SAMPLES = 64
const DEAD_CHANNEL_BATCH = 8
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
  context: StageSetting<'calibration' | 'validation'>,
  calibrated: Calibrated,
): Promise<DataQuality> {
  const { model } = calibrated
  const statistics = ofMainGraph(model, calibrated.statistics)
  const ranks = new Map(Object.entries(statistics.tensors).map(([name, { rank }]) => [name, rank]))
  const fed = new Set(model.graph.inputs.map(({ name }) => name))
  const deadChannels = await withCalibrationBatches(
    context,
    {
      model,
      samples: Math.min(statistics.samples, DEAD_CHANNEL_SAMPLES),
      batchSize: deadChannelBatch(calibrated.inputs),
    },
    (batches) =>
      findDeadChannels({
        ...{ model, batches, ranks, runtime: context.runtime },
        points: [...ranks.keys()].filter((name) => !fed.has(name)),
        threads: context.threads,
        device: context.device,
      }),
  )
  const more = await driftToValidation(context, { ...calibrated, statistics })
  return assessData({ ...calibrated, deadChannels, more })
}

/** As many samples as are looked at anyway, where they are large. */
function deadChannelBatch(inputs: InputWatch): number {
  const values = inputs.summaries().reduce((sum, { size }) => sum + size, 0)
  return Math.max(1, Math.min(DEAD_CHANNEL_BATCH, Math.ceil(DEAD_CHANNEL_VALUES / values)))
}

async function driftToValidation(
  context: StageSetting<'calibration' | 'validation'>,
  { model, inputs, statistics }: Calibrated,
): Promise<readonly DataDiagnostic[]> {
  const [calibration, validation] = ['calibration', 'validation'].map(
    (role) => context.inputs.find((input) => input.role === role)?.sha256,
  )
  if (validation === undefined || validation === calibration) return []
  const watch = new InputWatch()
  const data = { model, role: 'validation' as const }
  await withCalibrationBatches(context, { ...data, samples: DRIFT_SAMPLES }, async (batches) => {
    for await (const batch of batches) watch.add(batch)
  })
  const drift = inputDrift(inputs.summaries(), watch.summaries())
  const points = Object.keys(statistics.tensors)
  if (points.length === 0) return drift
  const other = await withCalibrationBatches(
    context,
    { ...data, samples: DRIFT_RUN_SAMPLES },
    (batches) =>
      calibrate({
        ...{ model, batches, points },
        runtime: context.runtime,
        threads: context.threads,
        device: context.device,
      }),
  )
  return [...drift, ...rangeDrift(statistics, other)]
}

/** The batches of the first reading, each seen by `watch` on its way; further readings as they are. */
export function watchedOnce(
  watch: InputWatch,
): (batches: AsyncIterable<Batch>) => AsyncIterable<Batch> {
  let isFirst = true
  return (batches) => {
    const found = isFirst ? watched(batches, watch) : batches
    isFirst = false
    return found
  }
}

async function* watched(batches: AsyncIterable<Batch>, watch: InputWatch): AsyncGenerator<Batch> {
  for await (const batch of batches) {
    watch.add(batch)
    yield batch
  }
}

/** Without what is in branches, which does not leave the model. */
function ofMainGraph({ graph }: Model, statistics: CalibrationStatistics): CalibrationStatistics {
  const own = new Set(definedValues(graph))
  const tensors = Object.entries(statistics.tensors).filter(([name]) => own.has(name))
  return { ...statistics, tensors: Object.fromEntries(tensors) }
}
