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
import type { Batch, SampleSource } from '@pare/datasets'
import { definedValues, type Model } from '@pare/graph'

import type { StageSetting } from './stage.js'
import { computeOf, withSamples } from './stage-data.js'

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
  const data = {
    ...({ role: 'calibration', model } as const),
    samples: Math.min(statistics.samples, DEAD_CHANNEL_SAMPLES),
    batchSize: deadChannelBatch(calibrated.inputs),
  }
  const deadChannels = await withSamples(context, data, (source) =>
    findDeadChannels({
      ...{ ...computeOf(context), model, ranks, batches: source.batches() },
      points: [...ranks.keys()].filter((name) => !fed.has(name)),
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
  const data = { model, role: 'validation', samples: DRIFT_SAMPLES } as const
  return withSamples(context, data, async (source) => {
    for await (const batch of source.batches()) watch.add(batch)
    const drift = inputDrift(inputs.summaries(), watch.summaries())
    const points = Object.keys(statistics.tensors)
    if (points.length === 0) return drift
    const batches = source.batches({ samples: DRIFT_RUN_SAMPLES })
    const other = await calibrate({ ...computeOf(context), model, batches, points })
    return [...drift, ...rangeDrift(statistics, other)]
  })
}

/** The same source; `watch` sees the batches of its first reading. */
export function watchedOnce(source: SampleSource, watch: InputWatch): SampleSource {
  let isFirst = true
  return {
    ...source,
    batches: (part) => {
      const found = source.batches(part)
      if (!isFirst) return found
      isFirst = false
      return watched(found, watch)
    },
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
