// Least and greatest value of a tensor. onnxruntime reduces, so a batch costs three numbers.
import type { RuntimeTensor } from '@pare/tensor'

import type { ReducingObserver } from './observer.js'
import type { MinMaxState } from './statistics.js'

const EMPTY: MinMaxState = { nonFinite: 0 }

export const minMaxObserver: ReducingObserver<'minmax'> = {
  kind: 'minmax',
  looksAt: 'reductions',
  ordered: false,
  empty: EMPTY,
  // Without axes they reduce all of them, in every opset alike. The sum is there for NaN, which
  // ReduceMin and ReduceMax skip.
  reduce: (value, name) => {
    const outputs = ['min', 'max', 'sum'].map(name)
    const nodes = ['ReduceMin', 'ReduceMax', 'ReduceSum'].map((opType, i) => ({
      name: '',
      opType,
      domain: '',
      inputs: [value],
      outputs: [outputs[i]!],
      attributes: new Map([['keepdims', { type: 'int', value: 1n } as const]]),
      metadataProps: [],
    }))
    return { nodes, initializers: new Map(), outputs }
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
