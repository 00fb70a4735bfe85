import { type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { channelGraph } from './index.js'

const CHANNELS = 4

function network() {
  return model()
    .input('x', 'float32', ['n', 3, 8, 8])
    .floats('first', [CHANNELS, 3, 1, 1], ones(CHANNELS * 3))
    .floats('second', [CHANNELS, CHANNELS, 1, 1], ones(CHANNELS ** 2))
    .floats('depthwise', [CHANNELS, 1, 1, 1], ones(CHANNELS))
    .floats('last', [2, CHANNELS, 1, 1], ones(2 * CHANNELS))
    .node('Conv', ['x', 'first'], ['a'])
}

function ones(count: number): Float32Array {
  return new Float32Array(count).fill(1)
}

/** The channels that the layers write, by their outputs: roots, and why they are pinned. */
function written(built: Model, column: 'carries' | 'scales') {
  const { layers, ids } = channelGraph(built, { column })
  return new Map(
    layers.map(({ node, outputIds }) => [
      node.outputs[0]!,
      { roots: [...ids.roots(outputIds)], pin: ids.pinned(outputIds[0]!)?.code },
    ]),
  )
}

describe('channelGraph', () => {
  it('ties a residual stream, and lets a channel of an inner layer be its own', () => {
    const built = network()
      .node('Sigmoid', ['a'], ['b'])
      .node('Conv', ['b', 'second'], ['c'])
      .node('Add', ['c', 'b'], ['d'])
      .node('Conv', ['d', 'last'], ['y'])
      .output('y')
      .build()
    const carries = written(built, 'carries')
    expect(carries.get('c')?.roots).toEqual(carries.get('a')?.roots)
    expect(carries.get('a')?.pin).toBeUndefined()
    expect(carries.get('y')?.pin).toBe('graph_output')
    // No factor passes a Sigmoid.
    expect(written(built, 'scales').get('a')?.pin).toBe('not_homogeneous')
  })

  it('ties both sides of a depthwise convolution, which can be scaled apart', () => {
    const built = network()
      .node('Conv', ['a', 'depthwise'], ['b'], { group: CHANNELS })
      .node('Conv', ['b', 'last'], ['y'])
      .output('y')
      .build()
    const carries = written(built, 'carries')
    expect(carries.get('b')?.roots).toEqual(carries.get('a')?.roots)
    const scales = written(built, 'scales')
    expect(scales.get('b')?.roots).not.toEqual(scales.get('a')?.roots)
  })

  it('ties a gate to what it multiplies', () => {
    const built = network()
      .node('GlobalAveragePool', ['a'], ['pooled'])
      .node('Conv', ['pooled', 'second'], ['s'])
      .node('Sigmoid', ['s'], ['gate'])
      .node('Mul', ['a', 'gate'], ['b'])
      .node('Conv', ['b', 'last'], ['y'])
      .output('y')
      .build()
    const carries = written(built, 'carries')
    expect(carries.get('s')?.roots).toEqual(carries.get('a')?.roots)
    expect(carries.get('s')?.pin).toBeUndefined()
  })

  it('follows channels along every axis: a matrix lets pass those that it does not read', () => {
    const built = model()
      .input('x', 'float32', ['n', 6, 5])
      .floats('mix', [6, 3], ones(18))
      .floats('w', [5, 4], ones(20))
      .floats('v', [4, 2], ones(8))
      .floats('back', [3, 6], ones(18))
      .node('Transpose', ['x'], ['t'], { perm: [0, 2, 1] })
      .node('MatMul', ['t', 'mix'], ['mixed'])
      .node('Transpose', ['mixed'], ['u'], { perm: [0, 2, 1] })
      .node('MatMul', ['u', 'w'], ['wide'])
      .node('MatMul', ['wide', 'v'], ['narrow'])
      .node('Transpose', ['narrow'], ['r'], { perm: [0, 2, 1] })
      .node('MatMul', ['r', 'back'], ['y'])
      .output('y')
      .build()
    const shapes = new Map([['t', { dims: [1, 5, 6], dataType: 'float32' as const }]])
    const { layers, ids } = channelGraph(built, { column: 'carries', shapes })
    const [mix, wide, , back] = layers
    expect(back!.inputIds).toEqual(mix!.outputIds)
    for (const layer of [mix, wide]) expect(ids.pinned(layer!.outputIds[0]!)).toBeUndefined()
  })

  it('keeps the groups of a convolution whole', () => {
    const built = network()
      .floats('grouped', [4, 2, 1, 1], ones(8))
      .node('Conv', ['a', 'grouped'], ['b'], { group: 2 })
      .node('Conv', ['b', 'last'], ['y'])
      .output('y')
      .build()
    const carries = written(built, 'carries')
    expect(carries.get('a')?.pin).toBe('channels_in_groups')
    expect(carries.get('b')?.pin).toBe('channels_in_groups')
  })
})
