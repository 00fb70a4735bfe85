// What the tests of this package share: random weights, calibration on random data, running before
// and after, and reading back through the real onnxruntime.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { CalibrationStatistics } from '@pare/calibration'
import type { Feeds } from '@pare/datasets'
import { sourceOfBatches } from '@pare/datasets/testing'
import type { Model } from '@pare/graph'
import type { SessionOptions } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { createRandom, type RuntimeTensor } from '@pare/tensor'

import { calibrateModel } from './branches/calibrate-model.js'
import type { QuantizeStaticOptions } from './static/options.js'
import type { Optimize } from './static/read-back.js'

const runtime = onnxRuntime()

export function randomValues(count: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count }, () => random.normal() * scale)
}

export function randomTensor(dims: readonly number[], seed: number, scale = 1): RuntimeTensor {
  const count = dims.reduce((product, size) => product * size, 1)
  return { dataType: 'float32', dims, data: randomValues(count, seed, scale) }
}

export async function runModel(
  model: Model,
  feeds: Feeds,
  options: SessionOptions = {},
): Promise<Readonly<Record<string, RuntimeTensor>>> {
  const session = await runtime.createSession(encodeModel(model), {
    intraOpThreads: 1,
    ...options,
  })
  try {
    return await session.run(feeds)
  } finally {
    await session.release()
  }
}

export async function calibrated(
  model: Model,
  batches: readonly Feeds[],
  options: QuantizeStaticOptions = {},
): Promise<CalibrationStatistics> {
  return calibrateModel({
    ...{ model, runtime, quantization: options },
    source: sourceOfBatches(batches),
  })
}

/** Signal to quantization noise, in decibels: 20 is usable, 40 is good for 8 bits. */
export function sqnr(signal: RuntimeTensor, result: RuntimeTensor): number {
  const [x, y] = [signal.data as Float32Array, result.data as Float32Array]
  let power = 0
  let noise = 0
  for (let i = 0; i < x.length; i++) {
    power += x[i]! ** 2
    noise += (x[i]! - y[i]!) ** 2
  }
  return 10 * Math.log10(power / noise)
}

/** onnxruntime's optimized graph, through a file in a folder of its own. */
export const optimize: Optimize = async (model) => {
  const folder = await mkdtemp(join(tmpdir(), 'pare-read-back-'))
  try {
    const optimizedModelPath = join(folder, 'optimized.onnx')
    const session = await runtime.createSession(model, { optimizedModelPath, intraOpThreads: 1 })
    await session.release()
    return await readFile(optimizedModelPath)
  } finally {
    await rm(folder, { recursive: true })
  }
}
