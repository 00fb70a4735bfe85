// Models that take one sample at a time are run over data in batches, where they compute the same
// then. Whether they do is found out once, in `prepare`, by running a few samples both ways.
import { type Model, runPass, tensorsOf } from '@pare/graph'
import { decodeModel, encodeModel } from '@pare/onnx'
import {
  type ModelSession,
  type PreparedModel,
  restoreBatch,
  type Tensors,
  widenBatch,
} from '@pare/passes'
import { byteLengthOf, elementCount, type Tensor } from '@pare/tensor'

import { agree, areDistinct, differInFloats, samplesOf } from './compare-rows.js'
import type { StageSetting } from './stage.js'
import { bindDataset, openDataFile, openStageData, withSamples } from './stage-data.js'
import { hasInput, inputOf, openOnce, readJson } from './stage-files.js'

/** What `prepare` says in its output `batch`, and the stages that run over data read. */
interface BatchVerdict {
  /** So many samples at once, at most, give what each gives alone, and faster; 1: no more. */
  readonly samples: number
}

const ONE: BatchVerdict = { samples: 1 }

/** A model beyond this is not loaded twice more to find out. */
const MAX_WEIGHT_BYTES = 512 << 20
/**
 * Samples at once whose largest tensors are within this together are faster, for each takes too little
 * time alone. Measured: a network of 64 × 64 pixels (256 KiB) calibrates in half the time; those whose
 * largest tensor is 1.6 and 2.4 MB gain nothing by 2 at once and lose by more, as caches overflow and
 * each session touches more memory.
 */
const MAX_TENSOR_BYTES = 2 << 20
/**
 * Bias correction learns from the scatter of batches what chance explains: of the 64 samples that it
 * looks at, 16 batches show it as well as 64 do, 8 do not (50.1, 50.4 and 48.5 dB on that network).
 */
const SAMPLES_AT_ONCE = 4
/** Samples that are run together and alone, and those among which they are looked for. */
const COMPARED_SAMPLES = 3
const LOOKED_AT_SAMPLES = 48

/**
 * Runs samples of the input `sample` together and alone, where the prepared model takes one at a time.
 * Whatever stands against batches, an error of the runtime too, is a no.
 */
export async function judgeBatch(
  context: StageSetting<'sample'>,
  prepared: Pick<PreparedModel, 'model' | 'shapes'>,
): Promise<BatchVerdict> {
  const { model } = prepared
  const samples = samplesAtOnce(prepared)
  if (samples < 2 || weightBytes(model) > MAX_WEIGHT_BYTES) return ONE
  try {
    return (await isRowByRow(context, model)) ? { samples } : ONE
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown
    return ONE
  }
}

function samplesAtOnce({ model, shapes }: Pick<PreparedModel, 'model' | 'shapes'>): number {
  const bytes = [...shapes]
    .filter(([name]) => !model.graph.initializers.has(name))
    .map(([, { dataType, dims }]) =>
      dataType === 'string' ? 0 : byteLengthOf(dataType, elementCount(dims)),
    )
  const largest = bytes.reduce((max, size) => Math.max(max, size), 1)
  return SAMPLES_AT_ONCE * largest > MAX_TENSOR_BYTES ? 1 : SAMPLES_AT_ONCE
}

function weightBytes(model: Model): number {
  const bytesOf = ({ data }: Tensor) =>
    data.kind === 'bytes' ? data.bytes.length : data.kind === 'external' ? data.length : 0
  return tensorsOf(model).reduce((sum, tensor) => sum + bytesOf(tensor), 0)
}

async function isRowByRow(context: StageSetting<'sample'>, model: Model): Promise<boolean> {
  const { model: widened, modified } = runPass(widenBatch(COMPARED_SAMPLES), model)
  const samples = modified ? await distinctSamples(context, widened) : undefined
  if (samples === undefined) return false
  const alone = await withSession(context, model, async (session) => {
    const results: Tensors[] = []
    for (const sample of samplesOf(samples)) results.push(await session.run(sample))
    return results
  })
  // Outputs that are the same for all samples would not show whether samples are mixed.
  if (!differInFloats(alone)) return false
  return agree(await withSession(context, widened, (session) => session.run(samples)), alone)
}

/** A few samples that differ, as one batch. */
async function distinctSamples(
  context: StageSetting<'sample'>,
  widened: Model,
): Promise<Tensors | undefined> {
  const part = { batchSize: COMPARED_SAMPLES, samples: LOOKED_AT_SAMPLES }
  return withSamples(context, { role: 'sample', model: widened, ...part }, async (source) => {
    for await (const { feeds, count } of source.batches()) {
      if (count === COMPARED_SAMPLES && areDistinct(samplesOf(feeds))) return feeds
    }
    return undefined
  })
}

async function withSession<Result>(
  context: StageSetting,
  model: Model,
  use: (session: ModelSession) => Promise<Result>,
): Promise<Result> {
  const session = await openOnce(context)(model)
  try {
    return await use(session)
  } finally {
    await session.release()
  }
}

/** A model in the form in which it runs over data. */
export interface RunningModel {
  readonly model: Model
  /** What was made of it, with the sizes that the prepared model declares. */
  readonly restore: (changed: Model) => Model
  /** The same for an encoded model. */
  readonly restoreFile: (changed: Uint8Array) => Uint8Array
}

/**
 * The prepared model, widened to as many samples at once as the input `batch` allows and the first
 * `samples` of the data nearly fill.
 */
export async function runningModel(
  context: StageSetting<'batch' | 'calibration'>,
  model: Model,
  { samples }: { readonly samples: number },
): Promise<RunningModel> {
  const size = await batchSize(context, samples)
  const widened = size > 1 ? runPass(widenBatch(size), model).model : model
  if (widened === model || !(await takesData(context, widened))) {
    return { model, restore: same, restoreFile: same }
  }
  const restore = (changed: Model) => restoreBatch(changed, model)
  return {
    ...{ model: widened, restore },
    restoreFile: (changed) => encodeModel(restore(decodeModel(changed))),
  }
}

function same<Value>(value: Value): Value {
  return value
}

async function batchSize(
  context: StageSetting<'batch' | 'calibration'>,
  samples: number,
): Promise<number> {
  if (!hasInput(context, 'batch')) return 1
  const { samples: size } = await readJson<BatchVerdict>(inputOf(context, 'batch'))
  if (size === 1) return 1
  const { dataset, close } = await openStageData(context, 'calibration')
  await close()
  const rows = Math.min(samples, dataset.samples)
  return fittingBatch(rows, size)
}

/** Copies of the last sample fill up its batch: an eighth of all rows at most. */
const MAX_FILLING = 1 / 8

/** `size`, or as often halved as `rows` need to fill nearly all of their batches. */
export function fittingBatch(rows: number, size: number): number {
  const isFilled = (fit: number) => Math.ceil(rows / fit) * fit <= rows * (1 + MAX_FILLING)
  let fitting = size
  while (fitting > 1 && !isFilled(fitting)) fitting /= 2
  return fitting
}

const DATA_ROLES: ReadonlySet<string> = new Set(['calibration', 'validation'])

/** Not where samples are whole inputs, each with a batch dimension of its own. */
async function takesData({ inputs }: StageSetting, widened: Model): Promise<boolean> {
  for (const input of inputs.filter(({ role }) => DATA_ROLES.has(role))) {
    const { dataset, close } = await openDataFile(input)
    await close()
    try {
      bindDataset(dataset, widened)
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown
      return false
    }
  }
  return true
}
