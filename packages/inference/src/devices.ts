// Which devices this machine can really use: found by running a model, since a provider may be
// compiled in while its libraries or its hardware are missing.
import { CodedError } from '@pare/errors'

import type { InferenceRuntime } from './runtime.js'

export type Device = 'cpu' | 'cuda'

export async function availableDevices(runtime: InferenceRuntime): Promise<readonly Device[]> {
  return (await isUsable(runtime, 'cuda')) ? ['cpu', 'cuda'] : ['cpu']
}

async function isUsable(runtime: InferenceRuntime, device: Device): Promise<boolean> {
  try {
    const session = await runtime.createSession(NEGATION_MODEL, { device })
    try {
      const x = { dataType: 'float32', dims: [1], data: Float32Array.of(2) } as const
      const { y } = await session.run({ x })
      return y?.data[0] === -2
    } finally {
      await session.release()
    }
  } catch (thrown) {
    if (thrown instanceof CodedError) return false
    throw thrown
  }
}

/** y = Neg(x) on float32 of any shape, opset 13, as ONNX bytes: this package needs no codec. */
const NEGATION_MODEL = Uint8Array.from([
  ...[0x08, 0x08], // ModelProto.ir_version = 8
  ...[0x3a, 0x26], // ModelProto.graph, 38 bytes
  ...[0x0a, 0x0b], // GraphProto.node, 11 bytes
  ...[0x0a, 0x01, 0x78, 0x12, 0x01, 0x79, 0x22, 0x03, 0x4e, 0x65, 0x67], // input x, output y, Neg
  ...[0x12, 0x01, 0x67], // GraphProto.name = g
  ...[0x5a, 0x09], // GraphProto.input: x, float32
  ...[0x0a, 0x01, 0x78, 0x12, 0x04, 0x0a, 0x02, 0x08, 0x01],
  ...[0x62, 0x09], // GraphProto.output: y, float32
  ...[0x0a, 0x01, 0x79, 0x12, 0x04, 0x0a, 0x02, 0x08, 0x01],
  ...[0x42, 0x02, 0x10, 0x0d], // ModelProto.opset_import, version 13
])
