// The error of a quantized model layer by layer: both models run on the same samples, and tensors
// that stand for each other are compared. A few tensors at a time, so that memory stays bounded.
import { type Outputs, runProbes, shownValues } from '@pare/calibration'
import { toBatches } from '@pare/datasets'
import type { Model } from '@pare/graph'
import type { InferenceRuntime, SessionOptions } from '@pare/inference'
import type { ShapeOf } from '@pare/ops'
import { elementCount, type RuntimeTensor } from '@pare/tensor'

import { type Feeds, feedsFor } from '../feeds.js'
import {
  compareTensors,
  type Fidelity,
  type FidelitySums,
  finishFidelity,
  mergeFidelity,
  NO_FIDELITY,
} from '../metrics/fidelity.js'
import type { TensorPair } from './match-tensors.js'

export interface LayerError extends Pick<
  Fidelity,
  'cosine' | 'sqnr_db' | 'max_abs_difference' | 'identical'
> {
  /** The tensor, by its name in the float model. */
  readonly tensor: string
  readonly node: string
  readonly op_type: string
}

export interface MeasureLayersOptions {
  readonly runtime: InferenceRuntime
  readonly original: Model
  readonly result: Model
  readonly pairs: readonly TensorPair[]
  /** Shapes in the float model when it runs on one of the batches. */
  readonly shapeOf: ShapeOf
  readonly batches: readonly Feeds[]
  /** Options of the sessions; the target's. */
  readonly session?: SessionOptions
  /** Bytes of tensors to hold at a time, both models together, for each batch. Default 64 MiB. */
  readonly budgetBytes?: number
}

const DEFAULT_BUDGET_BYTES = 64 << 20
const FLOAT32_BYTES = 4

/** Compares the pairs; worst first, by SQNR. Pairs that do not hold floats of one shape are left out. */
export async function measureLayers(options: MeasureLayersOptions): Promise<readonly LayerError[]> {
  const errors: LayerError[] = []
  for (const group of groupByBytes(options)) errors.push(...(await measureGroup(group, options)))
  return errors.sort((a, b) => badness(a) - badness(b))
}

/** Identical tensors last; a tensor that is wrong where the original is zero first. */
function badness(error: LayerError): number {
  if (error.identical) return Infinity
  return error.sqnr_db ?? -Infinity
}

function groupByBytes(options: MeasureLayersOptions): readonly (readonly TensorPair[])[] {
  const { pairs, shapeOf, budgetBytes = DEFAULT_BUDGET_BYTES } = options
  const groups: TensorPair[][] = []
  let room = 0
  for (const pair of pairs) {
    const shape = shapeOf(pair.original)
    if (shape === undefined) continue
    const bytes = 2 * FLOAT32_BYTES * elementCount(shape)
    if (groups.length === 0 || bytes > room) {
      groups.push([])
      room = budgetBytes
    }
    groups.at(-1)!.push(pair)
    room -= bytes
  }
  return groups
}

async function measureGroup(
  group: readonly TensorPair[],
  options: MeasureLayersOptions,
): Promise<readonly LayerError[]> {
  const originalNames = [...new Set(group.map((pair) => pair.original))]
  const resultNames = [...new Set(group.map((pair) => pair.result))]
  // One after the other, and not both at a time: they may be large.
  const originals = await valuesOf(options.original, originalNames, options)
  const results = await valuesOf(options.result, resultNames, options)
  const sums = new Map<TensorPair, FidelitySums>()
  for (const batch of options.batches.keys()) {
    for (const pair of group) {
      const [x, y] = [originals[batch]?.[pair.original], results[batch]?.[pair.result]]
      if (x === undefined || y === undefined || !areComparable(x, y)) continue
      const part = compareTensors(pair.original, x, y)
      sums.set(pair, mergeFidelity(sums.get(pair) ?? NO_FIDELITY, part))
    }
  }
  return [...sums].map(([pair, sum]) => describe(pair, sum))
}

function describe(pair: TensorPair, sums: FidelitySums): LayerError {
  const { cosine, sqnr_db, max_abs_difference, identical } = finishFidelity(sums)
  return {
    tensor: pair.original,
    node: pair.node,
    op_type: pair.opType,
    cosine,
    sqnr_db,
    max_abs_difference,
    identical,
  }
}

function areComparable(x: RuntimeTensor, y: RuntimeTensor): boolean {
  return isFloat(x) && isFloat(y) && x.dims.join() === y.dims.join()
}

function isFloat({ dataType }: RuntimeTensor): boolean {
  return dataType.startsWith('float') || dataType === 'bfloat16'
}

/**
 * These values of the model, for each batch. What the model gives is shown as well: without it
 * onnxruntime would leave out what only that needs, and fuse otherwise around it.
 */
async function valuesOf(
  model: Model,
  names: readonly string[],
  { runtime, session, batches }: MeasureLayersOptions,
): Promise<readonly Outputs[]> {
  const values: Outputs[] = []
  const given = model.graph.outputs.map(({ name }) => name)
  const probe = shownValues({
    values: [...given, ...names],
    see: (outputs) => {
      values.push(Object.fromEntries(names.map((name) => [name, outputs[name]!])))
    },
  })
  const feeds = batches.map((batch) => feedsFor({ inputs: inputsOf(model) }, batch))
  await runProbes({ runtime, session, model, batches: toBatches(feeds), probes: [probe] })
  return values
}

function inputsOf({ graph }: Model) {
  return graph.inputs.flatMap(({ name, type }) =>
    type?.kind === 'tensor' ? [{ name, dataType: type.elementType }] : [],
  )
}
