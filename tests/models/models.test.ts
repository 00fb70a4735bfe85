// Every kind of model through the whole engine, without files: what the stages do, on real
// onnxruntime. Preparing changes nothing; quantizing costs little and is really computed in integers.
import { checkModel, type Model } from '@pare/graph'
import { decodeModel, encodeModel, scanModel } from '@pare/onnx'
import { prepareModel, type Tensors } from '@pare/passes'
import { observationPoints, quantizeDynamic, quantizeVerified } from '@pare/quantization'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, sqnr } from '../../packages/quantization/src/testing.js'
import { expectSameOutputs, openModel, runModel } from '../support/run-model.js'
import { type Sample, SAMPLES } from './models.js'

/** Decibels: what 8 bits reach on random weights, with a margin. */
const USABLE = 25

/** As an upload arrives: from bytes that the scanner lets through. */
function received(sample: Sample): Model {
  const bytes = encodeModel(sample.model)
  scanModel(bytes)
  const model = decodeModel(bytes)
  checkModel(model)
  return model
}

async function prepared(
  sample: Sample,
): Promise<{ readonly before: Model; readonly after: Model }> {
  const before = received(sample)
  const { model: after } = await prepareModel(before, { open: openModel, feeds: sample.feeds })
  return { before, after }
}

async function expectClose(before: Model, after: Model, feeds: Tensors): Promise<void> {
  checkModel(decodeModel(encodeModel(after)))
  const [expected, actual] = [await runModel(before, feeds), await runModel(after, feeds)]
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  for (const [name, tensor] of Object.entries(expected)) {
    expect([name, actual[name]?.dataType, actual[name]?.dims]).toEqual([
      name,
      tensor.dataType,
      tensor.dims,
    ])
    expect(sqnr(tensor, actual[name]!), `decibels of ${name}`).toBeGreaterThan(USABLE)
  }
}

const quantizable = SAMPLES.filter(({ integerLayers }) => integerLayers > 0)
const bare = SAMPLES.filter(({ integerLayers }) => integerLayers === 0)

describe('preparing', () => {
  it.each(SAMPLES)('changes no output of $what', async (sample) => {
    const { before, after } = await prepared(sample)
    await expectSameOutputs(before, after, sample.feeds, { relative: 1e-5 })
  })
})

describe('static quantization', () => {
  it.each(quantizable)('of $what computes $integerLayers layers in integers', async (sample) => {
    const { before, after } = await prepared(sample)
    const statistics = await calibrated(after, [sample.feeds])
    const result = await quantizeVerified({ model: after, statistics, optimize })
    const integers = result.layers.filter(({ weight }) => weight !== undefined)
    expect(integers.length).toBe(sample.integerLayers)
    expect(integers.map(({ kernel }) => kernel?.startsWith('float:'))).not.toContain(true)
    await expectClose(before, result.model, sample.feeds)
  })

  it.each(bare)('of $what is refused before it is calibrated', async (sample) => {
    const { after } = await prepared(sample)
    expect(() => observationPoints(after)).toThrow(
      expect.objectContaining({ code: 'quantization_not_applicable' }) as Error,
    )
  })
})

describe('dynamic quantization', () => {
  it.each(SAMPLES)('of $what keeps its outputs, or says that it has no layer', async (sample) => {
    const { before, after } = await prepared(sample)
    const hasDense = after.graph.nodes.some(({ opType, inputs }) => {
      return /^(MatMul|Gemm)$/.test(opType) && after.graph.initializers.has(inputs[1] ?? '')
    })
    if (!hasDense) {
      expect(() => quantizeDynamic(after)).toThrow(
        expect.objectContaining({ code: 'quantization_not_applicable' }) as Error,
      )
      return
    }
    await expectClose(before, quantizeDynamic(after).model, sample.feeds)
  })
})
