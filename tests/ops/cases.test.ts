// The sample cases themselves: each loads and runs in onnxruntime as it is written.
import { checkModel } from '@pare/graph'
import { MICROSOFT_CASES, ONNX_CASES } from '@pare/ops/testing'
import { describe, expect, it } from 'vitest'

import { runModel } from '../support/run-model.js'

const CASES = [...ONNX_CASES, ...MICROSOFT_CASES]

describe('the sample cases', () => {
  it.each(CASES)('$title runs', async (one) => {
    checkModel(one.model)
    if (one.hasNoKernel) {
      await expect(runModel(one.model, one.feeds)).rejects.toThrow(/implementation|registered/)
      return
    }
    const results = await runModel(one.model, one.feeds)
    for (const { name, type } of one.model.graph.outputs) {
      expect(type).toMatchObject({ elementType: results[name]?.dataType })
      const values = Array.from(results[name]!.data as ArrayLike<number | bigint | string>)
      expect(
        values.every((value) => typeof value === 'string' || Number.isFinite(Number(value))),
      ).toBe(true)
    }
  })
})
