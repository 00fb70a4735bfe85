// One sample of an operator: the smallest model that uses it, and inputs to run it on. Written once
// per operator in cases/<family>.ts, and used by the tests of every table about operators.
import type { Model, Value } from '@pare/graph'
import { type AttributeSpec, model, type ModelBuilder, tensorValue } from '@pare/graph/testing'
import { type DataType, type RuntimeTensor, toRuntimeTensor } from '@pare/tensor'

import { MICROSOFT_DOMAIN } from '../op-types/op-tables.js'
import type { Sample } from './samples.js'

/** What a family file writes down about one sample. */
export interface OpCaseSpec {
  /** What is special about it; the first case of an operator is its plainest form. */
  readonly title?: string
  /** The opset that the node is written for. Default 17. */
  readonly opset?: number
  /** In the order of the operator's inputs; null where one is left out. */
  readonly inputs?: readonly (Sample | null)[]
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
  /** Types of the outputs; `unread`: the node has it and nobody reads it. Default one float32. */
  readonly outputs?: readonly (DataType | 'unread')[]
  /** Where it takes more than the node: adds all nodes, from the inputs to the outputs. */
  readonly nodes?: (builder: ModelBuilder, inputs: readonly string[]) => unknown
  /** Other numbers in every run. */
  readonly isRandom?: true
  /** onnxruntime knows the operator and has no kernel of it for CPUs. */
  readonly hasNoKernel?: true
}

export interface OpCase {
  readonly opType: string
  readonly domain: string
  /** `Conv: depthwise`. */
  readonly title: string
  readonly opset: number
  readonly model: Model
  /** For each graph input. */
  readonly feeds: Readonly<Record<string, RuntimeTensor>>
  readonly isRandom: boolean
  readonly hasNoKernel: boolean
}

/** The model of a sample: inputs `x0`, `x1`, …, constants `c1`, …, outputs `y0`, … */
export function buildCase(opType: string, domain: string, spec: OpCaseSpec): OpCase {
  const { opset = 17, inputs = [], attributes = {}, outputs = ['float32'] } = spec
  const builder = model({ opset, domains: domain === '' ? {} : { [MICROSOFT_DOMAIN]: 1 } })
  const feeds: Record<string, RuntimeTensor> = {}
  const names = inputs.map((sample, i) => {
    if (sample === null) return ''
    const tensor = sample.make(i + 1)
    if (sample.isConstant) {
      builder.initializer(`c${i}`, tensor)
      return `c${i}`
    }
    builder.input(`x${i}`, tensor.dataType, tensor.dims)
    feeds[`x${i}`] = toRuntimeTensor(tensor)
    return `x${i}`
  })
  const results = outputs.map((_, i) => `y${i}`)
  if (spec.nodes !== undefined) spec.nodes(builder, names)
  else builder.node(domain === '' ? opType : `${domain}::${opType}`, names, results, attributes)
  return {
    opType,
    domain,
    title: [domain === '' ? opType : `${domain}.${opType}`, spec.title].filter(Boolean).join(': '),
    opset,
    model: withOutputs(builder.build(), outputs),
    feeds,
    isRandom: spec.isRandom ?? false,
    hasNoKernel: spec.hasNoKernel ?? false,
  }
}

function withOutputs(built: Model, types: NonNullable<OpCaseSpec['outputs']>): Model {
  const outputs = types.flatMap((type, i): readonly Value[] =>
    type === 'unread' ? [] : [tensorValue(`y${i}`, type)],
  )
  return { ...built, graph: { ...built.graph, outputs } }
}
