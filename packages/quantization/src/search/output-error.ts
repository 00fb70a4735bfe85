// How far a candidate's outputs are from the float model's, on the same samples: what candidates
// are compared by. The float model runs once; its outputs are kept within a budget.
import { type Outputs, runProbes, shownValues } from '@pare/calibration'
import type { Model } from '@pare/graph'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import type { DataSource } from '../layers/data-source.js'

export interface OutputError {
  /** Σ(x − y)² / Σx² of each output, averaged over the outputs; 0 where nothing differs. */
  readonly noise: number
  /** −10 log₁₀ of the noise; null where there is none. */
  readonly sqnrDb: number | null
}

/** The float model's answers to some samples. */
export interface Reference {
  /** How many samples there really are. */
  readonly samples: number
  /** Runs a candidate on the same samples. Throws what the runtime throws. */
  readonly compare: (candidate: Model) => Promise<OutputError>
}

export interface ReferenceOptions {
  readonly model: Model
  readonly source: DataSource
  readonly samples: number
  /** Bytes of outputs to keep; fewer samples are used where they need more. Default 64 MiB. */
  readonly maxBytes?: number
}

const DEFAULT_MAX_BYTES = 64 << 20

/** Throws `quantization_statistics_missing` when there is no sample. */
export async function createReference(options: ReferenceOptions): Promise<Reference> {
  const { model, source, maxBytes = DEFAULT_MAX_BYTES } = options
  const answers: Outputs[] = []
  let bytes = 0
  const keep = shownValues({
    see: (outputs) => {
      answers.push(outputs)
      bytes += Object.values(outputs).reduce((sum, { data }) => sum + bytesOf(data), 0)
    },
    isDone: () => bytes >= maxBytes,
  })
  const batches = source.batches({ samples: options.samples })
  const { samples } = await runProbes({ ...source, model, batches, probes: [keep] })
  if (samples > 0) return { samples, compare: (candidate) => compare(candidate, answers, options) }
  throw errors.quantization_statistics_missing('comparing candidates needs at least one sample')
}

/** On the batches that there are answers to. */
async function compare(
  model: Model,
  answers: readonly Outputs[],
  { source, samples }: ReferenceOptions,
): Promise<OutputError> {
  const sum = new ErrorSum()
  let seen = 0
  const add = shownValues({
    see: (outputs) => sum.add(answers[seen++]!, outputs),
    isDone: () => seen === answers.length,
  })
  await runProbes({ ...source, model, batches: source.batches({ samples }), probes: [add] })
  return sum.error()
}

function bytesOf(data: RuntimeTensor['data']): number {
  return ArrayBuffer.isView(data) ? data.byteLength : 0
}

/** The error of one model's outputs against another's, over any number of batches. */
export class ErrorSum {
  private readonly sums = new Map<string, Sums>()

  add(expected: Outputs, actual: Outputs): void {
    for (const [name, tensor] of Object.entries(expected)) {
      const sum = this.sums.get(name) ?? { signal: 0, noise: 0 }
      this.sums.set(name, sum)
      add(sum, tensor, actual[name])
    }
  }

  error(): OutputError {
    const ratios = [...this.sums.values()].map(({ signal, noise }) =>
      noise === 0 ? 0 : noise / Math.max(signal, Number.MIN_VALUE),
    )
    const noise = ratios.reduce((total, ratio) => total + ratio, 0) / Math.max(ratios.length, 1)
    return { noise, sqnrDb: noise === 0 ? null : -10 * Math.log10(noise) }
  }
}

interface Sums {
  signal: number
  noise: number
}

/** Outputs that are no numbers say nothing; values that are not finite in one only are all noise. */
function add(sum: Sums, expected: RuntimeTensor, actual: RuntimeTensor | undefined): void {
  const [x, y] = [expected.data, actual?.data]
  if (!isNumeric(x)) return
  for (let i = 0; i < x.length; i++) {
    const a = Number(x[i])
    if (!Number.isFinite(a)) continue
    const difference = a - Number(y?.[i])
    sum.signal += a * a
    sum.noise += Number.isFinite(difference) ? difference * difference : a * a + 1
  }
}

type Numbers = ArrayLike<number> | ArrayLike<bigint>

function isNumeric(data: RuntimeTensor['data']): data is RuntimeTensor['data'] & Numbers {
  return ArrayBuffer.isView(data)
}
