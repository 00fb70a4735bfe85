// Least and greatest value of a tensor. onnxruntime reduces, so a batch costs three numbers.
import { attr, type NodeSpec } from '@pare/graph'
import { type RuntimeTensor, tensorFromFloat32 } from '@pare/tensor'

import type { NameMaker, ReducingObserver } from './observer.js'
import type { MinMaxState } from './statistics.js'

const EMPTY: MinMaxState = { nonFinite: 0 }

export const minMaxObserver: ReducingObserver<'minmax'> = {
  kind: 'minmax',
  looksAt: 'reductions',
  ordered: false,
  empty: EMPTY,
  reduce: ({ value, isNonNegativeImage }, name) => {
    const [min, max, sum] = [name('min'), name('max'), name('sum')]
    const nodes = isNonNegativeImage
      ? pooledEnds(value, { min, max, sum, name })
      : [
          reduced('ReduceMin', value, min),
          reduced('ReduceMax', value, max),
          reduced('ReduceSum', value, sum),
        ]
    return { nodes, outputs: [min, max, sum] }
  },
  observe: (state, [min, max]) => {
    if (min === undefined || max === undefined) return state
    return merge(state, { range: { min: scalar(min), max: scalar(max) }, nonFinite: 0 })
  },
  // An infinite end means an infinite value, or that there was none at all. The sum of finite values
  // may be infinite too.
  needsValues: ([min, max, sum]) =>
    [min, max].some((end) => end !== undefined && !Number.isFinite(scalar(end))) ||
    (sum !== undefined && Number.isNaN(scalar(sum))),
  observeValues: (state, values) => merge(state, reduceFinite(values.data as ArrayLike<number>)),
  merge,
}

/**
 * Without axes they reduce all of them, in every opset alike. The sum is there for NaN, which ReduceMin
 * and ReduceMax skip.
 */
function reduced(opType: string, input: string, output: string): NodeSpec {
  const attributes = { keepdims: attr.int(1) }
  return { opType, inputs: [input], outputs: [output], attributes }
}

interface PooledNames extends Record<'min' | 'max' | 'sum', string> {
  readonly name: NameMaker
}

/**
 * The same by pooling, but that the least value is 0, which every range for quantization has in it:
 * to look for a greater one would take the copy that pooling saves.
 */
function pooledEnds(value: string, { min, max, sum, name }: PooledNames): readonly NodeSpec[] {
  const [maxima, means] = [name('maxima'), name('means')]
  const zero = { value: attr.tensor(tensorFromFloat32([1, 1, 1, 1], new Float32Array(1))) }
  return [
    { opType: 'Constant', inputs: [], outputs: [min], attributes: zero },
    { opType: 'GlobalMaxPool', inputs: [value], outputs: [maxima] },
    { opType: 'GlobalAveragePool', inputs: [value], outputs: [means] },
    reduced('ReduceMax', maxima, max),
    reduced('ReduceSum', means, sum),
  ]
}

function scalar(tensor: RuntimeTensor): number {
  return Number(tensor.data[0])
}

function reduceFinite(values: ArrayLike<number>): MinMaxState {
  let min = Infinity
  let max = -Infinity
  let nonFinite = 0
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!
    if (!Number.isFinite(x)) nonFinite++
    else {
      if (x < min) min = x
      if (x > max) max = x
    }
  }
  return min <= max ? { range: { min, max }, nonFinite } : { nonFinite }
}

function merge(a: MinMaxState, b: MinMaxState): MinMaxState {
  const nonFinite = a.nonFinite + b.nonFinite
  if (a.range === undefined && b.range === undefined) return { nonFinite }
  const ranges = [a.range, b.range].filter((range) => range !== undefined)
  const min = Math.min(...ranges.map((range) => range.min))
  const max = Math.max(...ranges.map((range) => range.max))
  // −0 becomes 0, so that the JSON text of a state equals the state.
  return { range: { min: min + 0, max: max + 0 }, nonFinite }
}
