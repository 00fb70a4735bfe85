// Every row of the table has a sample that it calls a no-op, and each of those hands its input on.
import { indexGraph } from '@pare/graph'
import { opRow } from '@pare/ops'
import { ONNX_CASES } from '@pare/ops/testing'
import { describe, expect, it } from 'vitest'

import { noOpTable } from '../../packages/passes/src/no-op-table.js'
import { runModel } from '../support/run-model.js'

const NO_OPS = ONNX_CASES.filter((one) => {
  const { graph } = one.model
  const [node] = graph.nodes
  return opRow(noOpTable, one)?.(node!, indexGraph(graph), new Map()) === true
})

describe('the table of no-ops', () => {
  it('has a sample for every row', () => {
    expect([...new Set(NO_OPS.map(({ opType }) => opType))]).toEqual(Object.keys(noOpTable))
  })

  it.each(NO_OPS)('is right about $title', async ({ model, feeds }) => {
    const { y0 } = await runModel(model, feeds)
    expect(y0).toEqual(feeds['x0'])
  })
})
