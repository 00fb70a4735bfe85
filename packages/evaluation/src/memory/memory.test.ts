import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { float32Array, npz } from '@pare/datasets/testing'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { measureMemory, type MemoryProbeRequest } from './node.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-memory-'))
  await writeFile(
    join(folder, 'data.npz'),
    npz({ x: float32Array([2, 64], new Float32Array(128)) }),
  )
})
afterAll(() => rm(folder, { recursive: true }))

/** y = x · w with a weight of 64 × columns. */
async function request(columns: number): Promise<MemoryProbeRequest> {
  const modelPath = join(folder, `${columns}.onnx`)
  const dense = model()
    .input('x', 'float32', ['n', 64])
    .floats('w', [64, columns], new Float32Array(64 * columns))
    .node('MatMul', ['x', 'w'], ['y'])
    .output('y', 'float32', ['n', columns])
    .build()
  await writeFile(modelPath, encodeModel(dense))
  return {
    modelPath,
    datasetPath: join(folder, 'data.npz'),
    inputs: [{ input: 'x', array: 'x' }],
    batchSize: 1,
    session: { intraOpThreads: 1 },
  }
}

describe('measureMemory', () => {
  it('sees the weights of a model, and not the runtime', async () => {
    const small = await measureMemory(await request(1))
    const large = await measureMemory(await request(200_000))
    const weightBytes = 64 * 200_000 * 4
    expect(large.increase_bytes).toBeGreaterThan(weightBytes)
    expect(large.peak_bytes).toBeGreaterThan(large.increase_bytes)
    expect(small.increase_bytes).toBeLessThan(weightBytes / 2)
  })

  it('reports what went wrong in the process', async () => {
    const broken = { ...(await request(1)), modelPath: join(folder, 'absent.onnx') }
    await expect(measureMemory(broken)).rejects.toMatchObject({
      code: 'memory_probe_failed',
    })
  })

  it('gives up on a process that takes too long', async () => {
    await expect(measureMemory(await request(1), { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'memory_probe_failed',
    })
  })
})
