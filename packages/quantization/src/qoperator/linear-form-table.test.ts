// Every row of the table, on the plainest sample of its operator.
import { checkModel, type Model } from '@pare/graph'
import type { OpType } from '@pare/ops'
import { casesOf, quantizedCase } from '@pare/ops/testing'
import { fromRuntimeTensor, type RuntimeTensor, toNumbers } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { runModel } from '../testing.js'
import { linearFormTable } from './linear-form-table.js'
import { toQOperator } from './to-qoperator.js'

const OPERATORS = Object.keys(linearFormTable) as readonly OpType[]

/** Bytes for each input that takes them. */
function bytesFor(
  { graph }: Model,
  feeds: Readonly<Record<string, RuntimeTensor>>,
): Readonly<Record<string, RuntimeTensor>> {
  const entries = graph.inputs.map(({ name, type }): readonly [string, RuntimeTensor] => {
    const feed = feeds[name]!
    if (type?.kind !== 'tensor' || type.elementType !== 'uint8') return [name, feed]
    const data = Uint8Array.from(feed.data as Float32Array, (value) => 128 + Math.round(value * 4))
    return [name, { dataType: 'uint8', dims: feed.dims, data }]
  })
  return Object.fromEntries(entries)
}

describe('the table of linear forms', () => {
  it.each(OPERATORS)(
    'writes %s on integers, to the same bytes but for rounding',
    async (opType) => {
      const one = casesOf(opType)[0]!
      const qdq = quantizedCase(one, { quantizeOutput: true })
      const { model: made } = toQOperator().run(qdq)
      checkModel(made)
      const written = made.graph.nodes.map((node) => node.opType)
      expect(written).not.toContain(opType)
      expect(written).not.toContain('DequantizeLinear')
      const feeds = bytesFor(qdq, one.feeds)
      const [before, after] = [await runModel(qdq, feeds), await runModel(made, feeds)]
      const [a, b] = [before, after].map((results) => {
        return Array.from(toNumbers(fromRuntimeTensor(results['y0_bytes']!)), Number)
      }) as [number[], number[]]
      expect(Math.max(...a.map((byte, i) => Math.abs(byte - b[i]!)))).toBeLessThanOrEqual(1)
      expect(new Set(a).size).toBeGreaterThan(1)
    },
  )
})
