import { channelGraph, writeScales } from '@pare/channels'
import { randomNetwork } from '@pare/channels/testing'
import { checkModel, editGraph, type Model } from '@pare/graph'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import type { Tensors } from '@pare/passes'
import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomFloats } from '../support/run-model.js'

const runtime = onnxRuntime()

/** As it is served, with all optimizations. */
async function runModel(model: Model, feeds: Tensors): Promise<Tensors> {
  const session = await runtime.createSession(encodeModel(model), { intraOpThreads: 1 })
  try {
    return await session.run(feeds)
  } finally {
    await session.release()
  }
}

/** Divides every channel that can be by a random power of two. */
function scaled(built: Model, seed: number): { readonly model: Model; readonly channels: number } {
  const graph = channelGraph(built)
  const random = createRandom(seed)
  const scales = new Float64Array(graph.ids.size).fill(1)
  let channels = 0
  for (let id = 0; id < scales.length; id++) {
    if (graph.ids.root(id) !== id || graph.ids.pinned(id) !== undefined) continue
    scales[id] = 2 ** (random.below(7) - 3)
    channels++
  }
  const editor = editGraph(built)
  writeScales(editor, graph, scales)
  return { model: editor.finish(), channels }
}

describe('the column `scales`', () => {
  it('finds channels whose factors change nothing: not a bit, where they are powers of two', async () => {
    let channels = 0
    for (let seed = 0; seed < 40; seed++) {
      const built = randomNetwork(seed)
      const result = scaled(built, seed)
      checkModel(result.model)
      channels += result.channels
      const feeds = { x: randomFloats([2, 4, 6, 6], seed) }
      expect(await runModel(result.model, feeds), `seed ${seed}`).toEqual(
        await runModel(built, feeds),
      )
    }
    expect(channels).toBeGreaterThan(500)
  })
})
