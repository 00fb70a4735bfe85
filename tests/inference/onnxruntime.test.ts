import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { model } from '@pare/graph/testing'
import { availableDevices } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { describeInferenceRuntime } from '@pare/inference/testing'
import { decodeModel, encodeModel } from '@pare/onnx'
import { type DataType, encodeFloat16, type RuntimeTensor } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const increment = encodeModel(
  model({ opset: 17, irVersion: 8 })
    .input('x')
    .floats('one', [], [1])
    .node('Add', ['x', 'one'], ['y'])
    .node('Identity', ['x'], ['z'])
    .output('y')
    .output('z')
    .build(),
)

describeInferenceRuntime(onnxRuntime, { increment })

describe('the onnxruntime adapter', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-inference-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const values: readonly RuntimeTensor[] = [
    { dataType: 'float32', dims: [2], data: Float32Array.of(1.5, -2) },
    { dataType: 'float64', dims: [2], data: Float64Array.of(1.5, -2) },
    { dataType: 'float16', dims: [2], data: encodeFloat16(Float32Array.of(1.5, -2)) },
    { dataType: 'int8', dims: [2], data: Int8Array.of(-128, 127) },
    { dataType: 'uint8', dims: [2], data: Uint8Array.of(0, 255) },
    { dataType: 'int16', dims: [2], data: Int16Array.of(-5, 5) },
    { dataType: 'uint16', dims: [2], data: Uint16Array.of(0, 65535) },
    { dataType: 'int32', dims: [2], data: Int32Array.of(-5, 5) },
    { dataType: 'uint32', dims: [2], data: Uint32Array.of(0, 5) },
    { dataType: 'int64', dims: [2], data: BigInt64Array.of(-5n, 2n ** 60n) },
    { dataType: 'uint64', dims: [2], data: BigUint64Array.of(0n, 2n ** 63n) },
    { dataType: 'bool', dims: [2], data: Uint8Array.of(0, 1) },
    { dataType: 'string', dims: [2], data: ['a', 'ü'] },
    { dataType: 'float32', dims: [], data: Float32Array.of(7) },
    { dataType: 'float32', dims: [0, 3], data: new Float32Array(0) },
  ]

  it.each(values)('carries $dataType values of shape $dims both ways', async (value) => {
    const session = await onnxRuntime().createSession(identityOf(value.dataType))
    const { y } = await session.run({ x: value })
    expect(y).toEqual(value)
    await session.release()
  })

  it('refuses types that cannot enter a session', async () => {
    const session = await onnxRuntime().createSession(increment)
    const x: RuntimeTensor = { dataType: 'bfloat16', dims: [1], data: Uint16Array.of(1) }
    await expect(session.run({ x })).rejects.toMatchObject({ code: 'runtime_invalid_feeds' })
    await session.release()
  })

  it('names the failing node and hides the source files of the runtime', async () => {
    const bytes = encodeModel(
      model({ opset: 17, irVersion: 8 })
        .input('x')
        .input('shape', 'int64', [1])
        .node('Reshape', ['x', 'shape'], ['y'])
        .named('/head/Reshape')
        .output('y')
        .build(),
    )
    const session = await onnxRuntime().createSession(bytes)
    const shape: RuntimeTensor = { dataType: 'int64', dims: [1], data: BigInt64Array.of(7n) }
    const x: RuntimeTensor = { dataType: 'float32', dims: [2], data: Float32Array.of(1, 2) }
    const failure = session.run({ x, shape })
    await expect(failure).rejects.toMatchObject({ code: 'runtime_failed' })
    await expect(failure).rejects.toThrow(/\/head\/Reshape/)
    await expect(failure).rejects.not.toThrow(/onnxruntime_src|\.cc|\.h:/)
    await session.release()
  })

  it('hides the folder of a model it cannot load', async () => {
    const failure = onnxRuntime().createSession({ path: join(folder, 'missing.onnx') })
    await expect(failure).rejects.toMatchObject({ code: 'runtime_rejected_model' })
    await expect(failure).rejects.not.toThrow(folder)
  })

  it('writes the optimized graph and a profile where it is told to', async () => {
    const optimizedModelPath = join(folder, 'optimized.onnx')
    const session = await onnxRuntime().createSession(increment, {
      optimizedModelPath,
      profileFilePrefix: join(folder, 'profile'),
      config: { 'session.disable_prepacking': '1' },
    })
    await session.run({ x: values[0]! })
    session.endProfiling()
    await session.release()
    const optimized = decodeModel(await readFile(optimizedModelPath))
    expect(optimized.graph.nodes.map(({ opType }) => opType)).toContain('Add')
    expect((await readdir(folder)).some((name) => name.startsWith('profile_'))).toBe(true)
  })

  it('finds the CPU among the available devices', async () => {
    expect(await availableDevices(onnxRuntime())).toContain('cpu')
  })

  function identityOf(dataType: DataType): Uint8Array {
    return encodeModel(
      model({ opset: 17, irVersion: 8 })
        .input('x', dataType)
        .node('Identity', ['x'], ['y'], {})
        .output('y', dataType)
        .build(),
    )
  }
})
