// The table of signatures, and the conversion, on the samples of every operator.
import { checkModel, type Node } from '@pare/graph'
import { MICROSOFT_CASES, ONNX_CASES, type OpCase } from '@pare/ops/testing'
import type { DataType, RuntimeTensor } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { runModel } from '../testing.js'
import { convertFloat16 } from './convert-float16.js'
import { type Port, signatureOf } from './signature.js'

const CASES = [...ONNX_CASES, ...MICROSOFT_CASES].filter(({ hasNoKernel }) => !hasNoKernel)

/** Types of the values that the file of a case declares. */
function declaredTypes({ model: { graph } }: OpCase): ReadonlyMap<string, DataType> {
  const types = new Map([...graph.initializers].map(([name, { dataType }]) => [name, dataType]))
  for (const { name, type } of [...graph.inputs, ...graph.outputs]) {
    if (type?.kind === 'tensor') types.set(name, type.elementType)
  }
  return types
}

/** Where a node's ports have types that their signature does not allow. */
function contradictions(node: Node, one: OpCase): readonly string[] {
  const signature = signatureOf(node, node.domain === '' ? one.opset : 1)
  if (signature === undefined) return []
  const types = declaredTypes(one)
  const bound = new Map<string, DataType>()
  const check = (value: string, port: Port): readonly string[] => {
    const type = types.get(value)
    if (type === undefined) return []
    if (port.kind === 'variable') {
      const first = bound.get(port.name) ?? type
      bound.set(port.name, first)
      return first === type ? [] : [`${value}: ${type}, and ${port.name} is ${first}`]
    }
    const fits = port.type === 'other' ? type !== 'float32' : port.type === type
    return fits ? [] : [`${value}: ${type}, not ${port.type}`]
  }
  return [
    ...node.inputs.flatMap((value, i) => check(value, signature.input(i))),
    ...node.outputs.flatMap((value, i) => check(value, signature.output(i))),
  ]
}

describe('type signatures', () => {
  it.each(CASES)('agree with $title', (one) => {
    expect(one.model.graph.nodes.flatMap((node) => contradictions(node, one))).toEqual([])
  })
})

/** Greatest difference by the greatest value. */
function difference(before: RuntimeTensor, after: RuntimeTensor): number {
  const numbers = ({ data }: RuntimeTensor) =>
    Array.from(data as ArrayLike<number | bigint>, Number)
  const [a, b] = [numbers(before), numbers(after)]
  const greatest = a.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-3)
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0) / greatest
}

const CONVERTIBLE = CASES.filter(
  ({ isRandom, model: { graph } }) =>
    !isRandom &&
    graph.outputs.every(({ type }) => type?.kind === 'tensor' && type.elementType !== 'string'),
)

describe('the conversion', () => {
  it.each(CONVERTIBLE)('keeps about what $title computes', async (one) => {
    const converted = convertFloat16(one.model)
    checkModel(converted.model)
    const before = await runModel(one.model, one.feeds)
    const after = await runModel(converted.model, one.feeds)
    for (const [name, tensor] of Object.entries(before)) {
      expect(after[name]?.dataType, name).toBe(tensor.dataType)
      expect(difference(tensor, after[name]!), name).toBeLessThan(0.01)
    }
  })
})
