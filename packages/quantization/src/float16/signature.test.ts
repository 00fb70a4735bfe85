import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { signatureOf } from './signature.js'

const node = (opType: string) => model().node(opType, [], ['y']).graph().nodes[0]!

describe('type signatures', () => {
  it('are those of the newest change up to the opset', () => {
    const before = signatureOf(node('Conv'), 21)!
    const after = signatureOf(node('Conv'), 22)!
    expect(before.allows('A', 'float16')).toBe(true)
    expect(before.allows('A', 'bfloat16')).toBe(false)
    expect(after.allows('A', 'bfloat16')).toBe(true)
  })

  it('repeat the last port of a variadic list, and know fixed types', () => {
    const concat = signatureOf(node('Concat'), 21)!
    expect(concat.input(7)).toEqual({ kind: 'variable', name: 'A' })
    const where = signatureOf(node('Where'), 21)!
    expect([0, 1].map(where.input)).toEqual([
      { kind: 'fixed', type: 'bool' },
      { kind: 'variable', name: 'A' },
    ])
    const split = signatureOf(node('Split'), 21)!
    expect(split.output(3)).toEqual({ kind: 'variable', name: 'A' })
  })

  it('tell ports of one operator apart: a LayerNormalization keeps its statistics float32', () => {
    const signature = signatureOf(node('LayerNormalization'), 17)!
    expect(signature.output(1)).toEqual({ kind: 'variable', name: 'B' })
    expect(signature.allows('B', 'float16')).toBe(false)
  })

  it('exist for operators of onnxruntime, and not for those nobody knows', () => {
    expect(signatureOf(node('com.microsoft::FusedMatMul'), 1)!.allows('A', 'float16')).toBe(true)
    expect(
      signatureOf(node('com.microsoft::DynamicQuantizeMatMul'), 1)!.allows('A', 'float16'),
    ).toBe(false)
    expect(signatureOf(node('acme::Frob'), 1)).toBeUndefined()
    expect(signatureOf(node('Loop'), 21)).toBeUndefined()
  })
})
