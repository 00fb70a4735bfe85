// A model of any size that really runs: blocks of LayerNormalization, two MatMuls with Relu between
// them, and an addition around it all, as transformers have them. Its weights are made while they are
// written, so it never is in memory.
import { createRandom } from '../../packages/tensor/dist/index.js'

export const WIDTH = 2048
const INNER = 4 * WIDTH
const MATRIX_BYTES = WIDTH * INNER * 4

/** About `gigabytes` of float32 weights, as a model whose external data is read when it is wanted. */
export function largeModel(gigabytes) {
  const blocks = Math.max(1, Math.ceil((gigabytes * 2 ** 30) / (2 * MATRIX_BYTES)))
  const numbers = numbersOf()
  const nodes = []
  const initializers = new Map()
  const node = (opType, inputs, outputs) =>
    nodes.push({
      ...{ name: outputs[0], opType, domain: '', inputs, outputs },
      ...{ attributes: new Map(), metadataProps: [] },
    })
  const matrix = (name, dims) => {
    const read = numbers(initializers.size)
    const data = { kind: 'external', location: name, offset: 0, length: MATRIX_BYTES, read }
    initializers.set(name, { dataType: 'float32', dims, data })
  }
  const vector = (name, value) => {
    const bytes = new Uint8Array(new Float32Array(WIDTH).fill(value).buffer)
    initializers.set(name, { dataType: 'float32', dims: [WIDTH], data: { kind: 'bytes', bytes } })
  }
  for (let i = 0; i < blocks; i++) {
    vector(`scale${i}`, 1)
    vector(`bias${i}`, 0)
    matrix(`up${i}`, [WIDTH, INNER])
    matrix(`down${i}`, [INNER, WIDTH])
    node('LayerNormalization', [`x${i}`, `scale${i}`, `bias${i}`], [`norm${i}`])
    node('MatMul', [`norm${i}`, `up${i}`], [`wide${i}`])
    node('Relu', [`wide${i}`], [`active${i}`])
    node('MatMul', [`active${i}`, `down${i}`], [`back${i}`])
    node('Add', [`x${i}`, `back${i}`], [i === blocks - 1 ? 'y' : `x${i + 1}`])
  }
  return {
    ...{
      irVersion: 8,
      opsetImports: [{ domain: '', version: 17 }],
      metadataProps: [],
      functions: [],
    },
    graph: {
      ...{ name: 'large', nodes, initializers, sparseInitializers: [], valueInfo: [] },
      ...{ inputs: [value('x0')], outputs: [value('y')], metadataProps: [] },
    },
  }
}

const value = (name) => ({
  ...{ name, metadataProps: [] },
  type: { kind: 'tensor', elementType: 'float32', shape: [{ param: 'n' }, { size: WIDTH }] },
})

/**
 * Normally distributed numbers for each matrix: one pool, entered at another place, so that no two
 * matrices are equal. Their variance keeps activations near one, whatever the depth.
 */
function numbersOf() {
  const { normal } = createRandom(1)
  const pool = Float32Array.from({ length: 2 ** 22 }, () => normal() / Math.sqrt(INNER))
  const bytes = new Uint8Array(pool.buffer)
  return (index) => (start, end) => {
    const out = new Uint8Array(end - start)
    let at = (start + index * 4 * 7919) % bytes.length
    for (let done = 0; done < out.length;) {
      const piece = bytes.subarray(at, Math.min(bytes.length, at + out.length - done))
      out.set(piece, done)
      done += piece.length
      at = 0
    }
    return out
  }
}
