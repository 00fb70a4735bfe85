// The passes that come before every step, on every operator: what they leave computes the same.
import { checkModel } from '@pare/graph'
import { MICROSOFT_CASES, ONNX_CASES } from '@pare/ops/testing'
import { prepareModel } from '@pare/passes'
import { describe, expect, it } from 'vitest'

import { expectSameOutputs, openModel } from '../support/run-model.js'

const CASES = [...ONNX_CASES, ...MICROSOFT_CASES].filter((one) => !one.hasNoKernel && !one.isRandom)

describe('preparing a model', () => {
  it.each(CASES)('keeps what $title computes', async (one) => {
    const { model } = await prepareModel(one.model, {
      open: openModel,
      feeds: one.feeds,
    })
    checkModel(model)
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(
      one.model.graph.outputs.map(({ name }) => name),
    )
    await expectSameOutputs(one.model, model, one.feeds, { mayBeZero: true })
  })
})
