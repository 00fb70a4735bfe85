import type { Model } from '@pare/graph'
import type { InferenceRuntime, SessionOptions } from '@pare/inference'
import { encodeModel } from '@pare/onnx'

const SCALAR = { kind: 'tensor', elementType: 'float32', shape: [{ size: 1 }] } as const

/** y = Identity(x): the least a runtime can be asked to do. */
const IDENTITY: Model = {
  irVersion: 8,
  opsetImports: [{ domain: '', version: 13 }],
  metadataProps: [],
  functions: [],
  graph: {
    name: 'identity',
    nodes: [
      {
        name: '',
        opType: 'Identity',
        domain: '',
        inputs: ['x'],
        outputs: ['y'],
        attributes: new Map(),
        metadataProps: [],
      },
    ],
    inputs: [{ name: 'x', type: SCALAR, metadataProps: [] }],
    outputs: [{ name: 'y', type: SCALAR, metadataProps: [] }],
    valueInfo: [],
    initializers: new Map(),
    sparseInitializers: [],
    metadataProps: [],
  },
}

/** Makes the runtime allocate what it allocates once per process. */
export async function warmUpRuntime(
  runtime: InferenceRuntime,
  options: SessionOptions,
): Promise<void> {
  const session = await runtime.createSession(encodeModel(IDENTITY), options)
  await session.run({ x: { dataType: 'float32', dims: [1], data: Float32Array.of(1) } })
  await session.release()
}
