// Small files with nothing wrong with them, and one change away from the hostile ones.
import { float32Array, int64Array, npz, type TestArray } from '@pare/datasets/testing'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { createRandom, elementCount, tensorFromInts } from '@pare/tensor'

const CLASSES = 10
export const SAMPLES = 24

function randomValues(dims: readonly number[], seed: number): Float32Array {
  const { normal } = createRandom(seed)
  return Float32Array.from({ length: elementCount(dims) }, () => normal() / 4)
}

/** Two dense layers over `x` [batch, 16]. */
function classifier(batch: number | string | null = 'n'): Model {
  return model({ opset: 17 })
    .input('x', 'float32', [batch, 16])
    .floats('w0', [16, 32], randomValues([16, 32], 1))
    .floats('b0', [32], randomValues([32], 2))
    .floats('w1', [32, CLASSES], randomValues([32, CLASSES], 3))
    .floats('b1', [CLASSES], randomValues([CLASSES], 4))
    .node('Gemm', ['x', 'w0', 'b0'], ['hidden'])
    .node('Relu', ['hidden'], ['active'])
    .node('Gemm', ['active', 'w1', 'b1'], ['scores'])
    .output('scores', 'float32', [batch, CLASSES])
    .build()
}

/** The same weights behind an output of rank 3, which no class can be read from. */
export function detector(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 16])
    .floats('w0', [16, 32], randomValues([16, 32], 1))
    .initializer('shape', tensorFromInts('int64', [3], [-1, 4, 8]))
    .node('MatMul', ['x', 'w0'], ['flat'])
    .node('Reshape', ['flat', 'shape'], ['boxes'])
    .output('boxes', 'float32', ['n', 4, 8])
    .build()
}

export const modelFile = (batch?: number | string | null) => encodeModel(classifier(batch))

export const inputs = (samples = SAMPLES): TestArray =>
  float32Array([samples, 16], randomValues([samples, 16], 5))

export const classes = (samples = SAMPLES): TestArray =>
  int64Array(
    [samples],
    Array.from({ length: samples }, (_, index) => index % CLASSES),
  )

export const datasetFile = () => npz({ x: inputs(), label: classes() })
