// Runs a model once on made-up input, to see that it runs at all. Where the model leaves sizes open
// they are guessed, so a failure is a remark and not a verdict: real data comes with the job.
import { CodedError } from '@pare/errors'
import type { InferenceSession, ValueDescription } from '@pare/inference'
import { createRandom, elementCount, type RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import type { ModelDescription } from '../plan/model-description.js'

/** Sizes to try for open dimensions behind the batch: most models take one of these. */
const OPEN_SIZES = [8, 1, 32, 224]
/** Beyond this many elements an input is not made up: the trial is not worth the memory. */
const MAX_ELEMENTS = 1 << 24

/** @throws model_run_failed when it cannot run although every size is fixed */
export async function trialRun(
  session: InferenceSession,
  seed: number,
): Promise<ModelDescription['trial_run']> {
  const open = session.inputs.some(({ shape }) => shape?.slice(1).some((d) => !isFixed(d)) ?? true)
  let detail = ''
  for (const size of open ? OPEN_SIZES : OPEN_SIZES.slice(0, 1)) {
    const feeds = makeFeeds(session.inputs, size, seed)
    if (feeds === undefined) return { ok: false, detail: 'the inputs are too large or not numbers' }
    try {
      const outputs = await session.run(feeds)
      const shapes = Object.entries(outputs).map(([name, { dims }]) => `${name} [${dims.join()}]`)
      return { ok: true, detail: shapes.join(', ') }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      detail = error.message
    }
  }
  if (session.inputs.every(({ shape }) => shape?.every(isFixed))) {
    throw errors.model_run_failed(
      `a run on made-up input failed: ${detail}; export the model again, and try it in onnxruntime`,
    )
  }
  return { ok: false, detail }
}

const isFixed = (size: number | string | null): size is number =>
  typeof size === 'number' && size >= 0

function makeFeeds(
  inputs: readonly ValueDescription[],
  openSize: number,
  seed: number,
): Record<string, RuntimeTensor> | undefined {
  const random = createRandom(seed)
  const feeds: Record<string, RuntimeTensor> = {}
  for (const { name, dataType, shape = [null] } of inputs) {
    const dims = shape.map((size, axis) => (isFixed(size) ? size : axis === 0 ? 1 : openSize))
    const make = MAKERS[dataType]
    if (make === undefined || elementCount(dims) > MAX_ELEMENTS) return undefined
    feeds[name] = { dataType, dims, data: make(elementCount(dims), random.uniform) }
  }
  return feeds
}

type Maker = (count: number, uniform: () => number) => RuntimeTensor['data']

/** Floats are uniform in [0, 1); integers are 0, which is a valid index into anything. */
const MAKERS: Readonly<Partial<Record<string, Maker>>> = {
  bool: (count) => new Uint8Array(count),
  float16: (count) => new Uint16Array(count),
  float32: (count, uniform) => Float32Array.from({ length: count }, uniform),
  float64: (count, uniform) => Float64Array.from({ length: count }, uniform),
  int16: (count) => new Int16Array(count),
  int32: (count) => new Int32Array(count),
  int64: (count) => new BigInt64Array(count),
  int8: (count) => new Int8Array(count),
  uint16: (count) => new Uint16Array(count),
  uint32: (count) => new Uint32Array(count),
  uint64: (count) => new BigUint64Array(count),
  uint8: (count) => new Uint8Array(count),
}
