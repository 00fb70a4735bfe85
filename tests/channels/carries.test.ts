import { channelGraph } from '@pare/channels'
import { randomNetwork } from '@pare/channels/testing'
import { checkModel, editGraph, type Model, type Node } from '@pare/graph'
import { createRandom, type Random, type Tensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { expectSameOutputs, randomFloats } from '../support/run-model.js'

type Graph = ReturnType<typeof channelGraph>

/** Exchanges two channels wherever `ids` has them; undefined where it has more of the one. */
function exchange(graph: Graph, ids: Int32Array, [a, b]: readonly number[]) {
  const roots = graph.ids.roots(ids)
  const places = (root: number | undefined) => [...roots.keys()].filter((i) => roots[i] === root)
  const [first, second] = [places(a), places(b)]
  if (first.length !== second.length) return undefined
  const order = [...roots.keys()]
  for (const [i, place] of first.entries()) {
    order[place] = second[i]!
    order[second[i]!] = place
  }
  return order
}

function reordered(tensor: Tensor, axis: number, order: readonly number[]): Tensor {
  const { dims } = tensor
  const at = axis < 0 ? dims.length + axis : axis
  const inner = dims.slice(at + 1).reduce((product, size) => product * size, 1)
  const values = toFloat32(tensor)
  const moved = values.map((_, i) => {
    const place = Math.floor(i / inner) % order.length
    return values[i + (order[place]! - place) * inner]!
  })
  return tensorFromFloat32(dims, moved)
}

interface Change {
  readonly node: Node
  readonly position: number
  readonly axis: number
  readonly ids: Int32Array
}

/** Every axis of a constant that has channels. */
function changes(graph: Graph): readonly Change[] {
  const ofLayers = graph.layers.flatMap((layer) => {
    const { node, outputIds, inputIds, outputAxis, inputAxis, weight, groups } = layer
    const base = { node, position: weight.input }
    const output = { ...base, axis: outputAxis, ids: outputIds }
    // A depthwise weight has one column: its rows are both.
    const hasInput = inputIds !== undefined && groups === 1
    return hasInput ? [output, { ...base, axis: inputAxis, ids: inputIds }] : [output]
  })
  const ofVectors = graph.vectors.flatMap(({ node, position, axis, overIds }) =>
    overIds === undefined ? [] : [{ node, position, axis, ids: overIds }],
  )
  return [...ofLayers, ...ofVectors]
}

/** The model with two channels exchanged everywhere, or undefined where that cannot be. */
function exchanged(model: Model, graph: Graph, pair: readonly number[]): Model | undefined {
  const editor = editGraph(model)
  for (const { node, position, axis, ids } of changes(graph)) {
    const order = exchange(graph, ids, pair)
    if (order === undefined) return undefined
    const current = editor.current(node)!
    const name = current.inputs[position]!
    const tensor = reordered(editor.constant(name)!, axis, order)
    editor.setInput(current, position, editor.addInitializer(name, tensor))
  }
  return editor.finish()
}

/** Two different channels of one layer that nothing pins. */
function freePair(graph: Graph, random: Random): readonly number[] | undefined {
  const free = graph.layers
    .map(({ outputIds }) => [...new Set(graph.ids.roots(outputIds))])
    .map((roots) => roots.filter((root) => graph.ids.pinned(root) === undefined))
    .filter((roots) => roots.length > 1)
  const roots = free[random.below(Math.max(free.length, 1))]
  return roots?.slice(0, 2)
}

describe('the column `carries`', () => {
  it('knows every place of a channel: two of them can change places in all of them', async () => {
    let models = 0
    for (let seed = 0; seed < 60; seed++) {
      const built = randomNetwork(seed)
      const graph = channelGraph(built, { column: 'carries' })
      const pair = freePair(graph, createRandom(seed))
      const result = pair === undefined ? undefined : exchanged(built, graph, pair)
      if (result === undefined) continue
      checkModel(result)
      models++
      const feeds = { x: randomFloats([2, 4, 6, 6], seed) }
      await expectSameOutputs(built, result, feeds, { relative: 1e-3, mayBeZero: true })
    }
    expect(models).toBeGreaterThan(30)
  })
})
