// Every row of the table, on the samples of its operator that have constant weights.
import { CodedError } from '@pare/errors'
import { checkModel, type Model } from '@pare/graph'
import { opKey } from '@pare/ops'
import { MICROSOFT_CASES, ONNX_CASES } from '@pare/ops/testing'
import { describe, expect, it } from 'vitest'

import { runModel, sqnr } from '../testing.js'
import { dynamicRewriteTable } from './dynamic-rewrite-table.js'
import { quantizeDynamic } from './quantize-dynamic.js'

const CASES = [...ONNX_CASES, ...MICROSOFT_CASES]

/** Undefined where the form of the sample keeps it in float. */
function quantized(model: Model, opType: string): Model | undefined {
  try {
    return quantizeDynamic(model, { opTypesToQuantize: [opType] }).model
  } catch (error) {
    if (error instanceof CodedError && error.code === 'quantization_not_applicable')
      return undefined
    throw error
  }
}

describe('the table of dynamic rewrites', () => {
  it.each(Object.keys(dynamicRewriteTable))('stores the weights of %s as integers', async (key) => {
    let rewritten = 0
    for (const { opType, model, feeds } of CASES.filter((one) => opKey(one) === key)) {
      const result = quantized(model, opType)
      if (result === undefined) continue
      checkModel(result)
      rewritten++
      const [before, after] = [await runModel(model, feeds), await runModel(result, feeds)]
      expect(sqnr(before['y0']!, after['y0']!)).toBeGreaterThan(20)
    }
    expect(rewritten).toBeGreaterThan(0)
  })
})
