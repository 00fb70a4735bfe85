// Does this data set fit that model? Answered from descriptions alone, before a job is accepted.
import type { DataType } from '@pare/tensor'

import { UNNAMED_ARRAY } from './array-source.js'
import type { InputBinding } from './dataset.js'
import type { ArrayDescription, DatasetDescription } from './description.js'
import { errors } from './errors.js'

/** An input of a model, as an inference session describes it. */
export interface ModelInput {
  readonly name: string
  readonly dataType: DataType
  /** A number is a fixed size, a string a named size, null unknown. Absent: unknown rank. */
  readonly shape?: readonly (number | string | null)[]
}

export interface DatasetMatch {
  /** Which array feeds which input. */
  readonly inputs: readonly InputBinding[]
  /** The batch size that the model insists on, or null when it takes any. */
  readonly fixedBatchSize: number | null
  /** Rows to add so that the last batch of a fixed size is full. */
  readonly paddedSamples: number
  /** Arrays that neither feed the model nor are labels. */
  readonly unusedArrays: readonly string[]
}

/**
 * Binds the arrays of a data set to the inputs of a model by name; a single unnamed array (`arr_0`)
 * feeds a single input. The first dimension of every input is the batch; where an input has a
 * fixed first dimension (a recurrent state) or none, and its array one dimension more, each of its samples is a whole input
 * and the model runs on one sample at a time. A float16 array feeds a float32 input and the other way
 * round. Throws
 * `dataset_input_missing`, `dataset_dtype_mismatch` or `dataset_shape_mismatch`, each naming the
 * array, what was expected, what is there, and the remedy.
 */
export function matchDataset(
  dataset: Pick<DatasetDescription, 'arrays' | 'samples'> & {
    readonly labels: { readonly name: string } | null
  },
  modelInputs: readonly ModelInput[],
): DatasetMatch {
  const candidates = dataset.arrays.filter(({ name }) => name !== dataset.labels?.name)
  const arrayOf = (input: ModelInput) =>
    findArray(input, candidates, { arrays: dataset.arrays, modelInputs })
  // Where one input takes a sample at a time, all do.
  const oneByOne = modelInputs.some(
    (input) => hasNoBatch(input) && feedsWhole(input, arrayOf(input)),
  )
  const inputs = modelInputs.map((input): InputBinding => {
    const array = arrayOf(input)
    checkDataType(input, array)
    const isWhole = (oneByOne || hasNoBatch(input)) && feedsWhole(input, array)
    if (!isWhole) checkShape(input, array)
    const binding = { input: input.name, array: array.name, ...(isWhole ? { isWhole } : {}) }
    return input.dataType === array.dataType ? binding : { ...binding, dataType: input.dataType }
  })
  checkNamedSizes(modelInputs, inputs, dataset.arrays)
  const fixedBatchSize = findFixedBatchSize(modelInputs, inputs)
  const overhang = fixedBatchSize === null ? 0 : dataset.samples % fixedBatchSize
  const used = new Set(inputs.map(({ array }) => array))
  return {
    inputs,
    fixedBatchSize,
    paddedSamples: overhang === 0 ? 0 : fixedBatchSize! - overhang,
    unusedArrays: candidates.map(({ name }) => name).filter((name) => !used.has(name)),
  }
}

function findArray(
  input: ModelInput,
  candidates: readonly ArrayDescription[],
  context: {
    readonly arrays: readonly ArrayDescription[]
    readonly modelInputs: readonly ModelInput[]
  },
): ArrayDescription {
  const namesake = context.arrays.find(({ name }) => name === input.name)
  if (namesake !== undefined) return namesake
  const [only, second] = candidates
  const isOnly = second === undefined && context.modelInputs.length === 1
  if (only !== undefined && isOnly && only.name === UNNAMED_ARRAY) return only
  const names = context.arrays.map(({ name }) => name)
  throw errors.dataset_input_missing(
    `the model's input "${input.name}" needs an array of that name; the data set has ${names.join(', ')}: save it with numpy.savez(path, **{"${input.name}": …})`,
    {
      details: {
        input: input.name,
        arrays: names,
        expected: context.modelInputs.map((i) => i.name),
      },
    },
  )
}

/** float16 and float32 stand in for each other: batches are converted as they are read. */
const EXCHANGEABLE: ReadonlySet<DataType> = new Set(['float16', 'float32'])

function checkDataType(input: ModelInput, array: ArrayDescription): void {
  if (input.dataType === array.dataType) return
  if (EXCHANGEABLE.has(input.dataType) && EXCHANGEABLE.has(array.dataType)) return
  throw errors.dataset_dtype_mismatch(
    `array "${array.name}" is ${array.dataType} and the model's input "${input.name}" takes ${input.dataType}: convert it with astype("${input.dataType}")`,
    { details: { array: array.name, expected: input.dataType, got: array.dataType } },
  )
}

/** An open first dimension is the batch: there an array with one more has the wrong shape. */
function hasNoBatch({ shape = [null] }: ModelInput): boolean {
  const [first = 0] = shape
  return typeof first === 'number' && first >= 0
}

/** Whether the array holds, for each sample, the input with all its dimensions. */
function feedsWhole({ shape }: ModelInput, { dims }: ArrayDescription): boolean {
  return shape?.length === dims.length - 1 && fits(shape, dims.slice(1))
}

type Shape = NonNullable<ModelInput['shape']>

function fits(shape: Shape, dims: readonly number[]): boolean {
  return shape.every((size, axis) => typeof size !== 'number' || size < 0 || size === dims[axis])
}

function checkShape(input: ModelInput, array: ArrayDescription): void {
  const { shape } = input
  if (shape === undefined) return
  const [, ...expected] = shape
  const [, ...got] = array.dims
  if (shape.length === array.dims.length && fits(expected, got)) return
  const wanted = `[${shape.map((size) => size ?? '?').join(', ')}]`
  throw errors.dataset_shape_mismatch(
    `array "${array.name}" has shape [${array.dims.join(', ')}] and the model's input "${input.name}" takes ${wanted}, where the first dimension is the batch: ${shapeRemedy(expected, got)}`,
    { details: { array: array.name, expected: shape, got: array.dims } },
  )
}

/** The usual mistakes by name; anything else is left to the reader. */
function shapeRemedy(
  expected: readonly (number | string | null)[],
  got: readonly number[],
): string {
  const equal = (a: readonly unknown[], b: readonly unknown[]) =>
    a.length === b.length && a.every((size, axis) => typeof size !== 'number' || size === b[axis])
  const [height, width, channels] = got
  if (got.length === 3 && equal(expected, [channels, height, width])) {
    return 'move the channels to the front with transpose(0, 3, 1, 2)'
  }
  const [first, second, third] = got
  if (got.length === 3 && equal(expected, [second, third, first])) {
    return 'move the channels to the back with transpose(0, 2, 3, 1)'
  }
  if (expected[0] === 1 && equal(expected.slice(1), got)) {
    return 'add the missing dimension with numpy.expand_dims(array, 1)'
  }
  if (expected.at(-1) === 1 && equal(expected.slice(0, -1), got)) {
    return 'add the missing dimension with numpy.expand_dims(array, -1)'
  }
  if (expected.every((size) => typeof size === 'number')) {
    const count = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)
    if (count(expected) === count(got)) {
      return `reshape it with reshape(-1, ${expected.join(', ')})`
    }
  }
  return 'prepare the data exactly as for the model itself'
}

/** A named size (a `dim_param`) stands for one size wherever it is used. */
function checkNamedSizes(
  modelInputs: readonly ModelInput[],
  bindings: readonly InputBinding[],
  arrays: readonly ArrayDescription[],
): void {
  const sizes = new Map<string, { readonly size: number; readonly array: string }>()
  for (const [index, input] of modelInputs.entries()) {
    const { array: wanted, isWhole } = bindings[index]!
    const array = arrays.find(({ name }) => name === wanted)!
    const dims = isWhole === true ? array.dims.slice(1) : array.dims
    for (const [axis, param] of (input.shape ?? []).entries()) {
      if (typeof param !== 'string' || param === '' || (axis === 0 && isWhole !== true)) continue
      const size = dims[axis]!
      const earlier = sizes.get(param)
      if (earlier !== undefined && earlier.size !== size) {
        throw errors.dataset_shape_mismatch(
          `the model's size "${param}" is ${earlier.size} in array "${earlier.array}" and ${size} in array "${array.name}": it must be the same`,
          { details: { array: array.name, axis, expected: earlier.size, got: size } },
        )
      }
      sizes.set(param, { size, array: array.name })
    }
  }
}

/** One where an input is whole; else what the inputs' first dimensions say. */
function findFixedBatchSize(
  modelInputs: readonly ModelInput[],
  bindings: readonly InputBinding[],
): number | null {
  const sizes = modelInputs.flatMap(({ name, shape }, index) => {
    if (bindings[index]?.isWhole === true) return [{ name, batch: 1 }]
    if (shape?.length === 0) {
      throw errors.dataset_shape_mismatch(
        `the model's input "${name}" is a single number: its array needs one number per sample, shape [samples]`,
        { details: { array: name, expected: shape } },
      )
    }
    const batch = shape?.[0]
    return typeof batch === 'number' && batch >= 0 ? [{ name, batch }] : []
  })
  const [first] = sizes
  const other = sizes.find(({ batch }) => batch !== first?.batch)
  if (first !== undefined && other !== undefined) {
    throw errors.dataset_shape_mismatch(
      `the model's inputs "${first.name}" and "${other.name}" need different batch sizes, ${first.batch} and ${other.batch}: export it with a dynamic batch`,
      { details: { array: other.name, expected: first.batch, got: other.batch } },
    )
  }
  return first?.batch ?? null
}
