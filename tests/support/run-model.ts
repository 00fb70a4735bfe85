// Runs models with onnxruntime as the specification defines them: one thread, no optimization.
import type { Model } from '@pare/graph'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import type { OpenModel, Tensors } from '@pare/passes'
import { createRandom, elementCount, type RuntimeTensor } from '@pare/tensor'
import { expect } from 'vitest'

const runtime = onnxRuntime()

export const openModel: OpenModel = (model) =>
  runtime.createSession(encodeModel(model), { intraOpThreads: 1, optimization: 'none' })

export async function runModel(model: Model, feeds: Tensors): Promise<Tensors> {
  const session = await openModel(model)
  try {
    return await session.run(feeds)
  } finally {
    await session.release()
  }
}

/** Standard normal numbers, the same in every run. */
export function randomFloats(dims: readonly number[], seed = 1): RuntimeTensor {
  const { normal } = createRandom(seed)
  return {
    dataType: 'float32',
    dims,
    data: Float32Array.from({ length: elementCount(dims) }, normal),
  }
}

export interface Tolerance {
  /** Largest difference, relative to the largest value of the output. Default 1e-5. */
  readonly relative?: number
  /** Whether an output may be all zeros, which any wrong model could produce too. Default false. */
  readonly mayBeZero?: boolean
}

/** Runs both models on the same feeds and compares every output. */
export async function expectSameOutputs(
  before: Model,
  after: Model,
  feeds: Tensors,
  { relative = 1e-5, mayBeZero = false }: Tolerance = {},
): Promise<void> {
  const [expected, actual] = [await runModel(before, feeds), await runModel(after, feeds)]
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  for (const [name, tensor] of Object.entries(expected)) {
    const other = actual[name]!
    expect([name, other.dataType, other.dims]).toEqual([name, tensor.dataType, tensor.dims])
    if (tensor.dataType === 'string') {
      expect(other.data, `texts of output ${name}`).toEqual(tensor.data)
      continue
    }
    const a = Array.from(tensor.data as ArrayLike<number | bigint>, Number)
    const b = Array.from(other.data as ArrayLike<number | bigint>, Number)
    const largest = a.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
    const difference = a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0)
    expect(difference, `largest difference of output ${name}`).toBeLessThanOrEqual(
      relative * Math.max(largest, 1e-3),
    )
    if (!mayBeZero) expect(largest, `largest value of output ${name}`).toBeGreaterThan(0)
  }
}
