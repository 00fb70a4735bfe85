// Networks for tests that hold for any graph.
import type { Feeds } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { createRandom, tensorFromInts } from '@pare/tensor'

import { randomTensor, randomValues } from './testing.js'

type Random = ReturnType<typeof createRandom>

const IMAGE = [2, 4, 6, 6]

function addNode(graph: ModelBuilder, values: string[], random: Random, id: number): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform() * list.length)]!
  const [a, b, output] = [pick(values), pick(values), `v${id}`]
  const kind = Math.floor(random.uniform() * 14)
  switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
      graph.node('Conv', [a, pick(['w0', 'w1']), 'bias'], [`${output}_c`], { pads: [1, 1, 1, 1] })
      graph.node(pick(['Relu', 'Identity', 'Tanh']), [`${output}_c`], [output])
      break
    case 4:
      graph.node('Conv', [a, 'depthwise'], [output], { pads: [1, 1, 1, 1], group: 4 })
      break
    case 5:
      graph.node('Add', [a, b], [output])
      break
    case 6:
      graph.node('Mul', [a, pick([b, 'channel'])], [output])
      break
    case 7:
      graph.node('Concat', [a, b], [`${output}_c`], { axis: 1 })
      graph.node('Conv', [`${output}_c`, 'wide'], [output])
      break
    case 8:
      graph.node('MaxPool', [a], [output], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      break
    case 9:
      graph.node('AveragePool', [a], [output], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
      break
    case 10:
      graph.node(pick(['Sigmoid', 'LeakyRelu', 'Softmax']), [a], [output])
      break
    case 11:
      graph.node('MatMul', [a, 'square'], [output])
      break
    case 12:
      graph.node('Where', ['condition', a, b], [output])
      break
    default:
      graph.node('Transpose', [a], [`${output}_t`], { perm: [0, 1, 3, 2] })
      graph.node('Split', [`${output}_t`], [`${output}_l`, `${output}_r`], { axis: 3 })
      graph.node('Concat', [`${output}_r`, `${output}_l`], [output], { axis: 3 })
  }
  values.push(output)
}

/**
 * Convolutions, products, joins, pools and movers in random order behind one another, with shared
 * weights and several readers, of opset 13 to 17.
 */
export function randomNetwork(seed: number): Model {
  const random = createRandom(seed)
  const graph = model({ opset: 13 + Math.floor(random.uniform() * 5), irVersion: 8 })
    .input('x', 'float32', ['n', ...IMAGE.slice(1)])
    .floats('w0', [4, 4, 3, 3], randomValues(144, seed, 0.2))
    .floats('w1', [4, 4, 3, 3], randomValues(144, seed + 1, 0.2))
    .floats('wide', [4, 8, 1, 1], randomValues(32, seed + 2, 0.3))
    .floats('depthwise', [4, 1, 3, 3], randomValues(36, seed + 3, 0.4))
    .floats('square', [6, 6], randomValues(36, seed + 4, 0.4))
    .floats('channel', [4, 1, 1], randomValues(4, seed + 5))
    .floats('bias', [4], randomValues(4, seed + 6))
    .floats('head', [144, 5], randomValues(720, seed + 7, 0.1))
    .floats('headBias', [5], randomValues(5, seed + 8))
    .initializer('condition', tensorFromInts('bool', [1, 4, 1, 1], [1, 0, 1, 0]))
    .node('Conv', ['x', 'w0', 'bias'], ['first'], { pads: [1, 1, 1, 1] })
  const values = ['first']
  const count = 3 + Math.floor(random.uniform() * 10)
  for (let i = 0; i < count; i++) addNode(graph, values, random, i)
  graph.node('Flatten', [values.at(-1)!], ['flat'])
  graph.node('Gemm', ['flat', 'head', 'headBias'], ['y'])
  graph.output('y', 'float32', ['n', 5]).output(values.at(-2)!, 'float32', ['n', 4, 6, 6])
  return graph.build()
}

/** What the network reads. */
export function randomFeeds(seed: number): Feeds {
  return { x: randomTensor(IMAGE, seed) }
}
