import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { openModelFile } from '@pare/onnx/bundle'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { pathOf, StageRunner } from './testing.js'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-inspect-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function inspect(built: Model, name: string) {
  const path = join(root, name)
  await writeFile(path, encodeModel(built))
  return new StageRunner(root).run('inspect_model', { model: path })
}

describe('inspect_model', () => {
  it('puts nodes in order, as the float16 converter of onnxruntime does not', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4])
      .node('Relu', ['narrow'], ['y'])
      .node('Cast', ['x'], ['narrow'], { to: 10 })
      .output('y', 'float16', ['n', 4])
      .build()
    const result = await inspect(built, 'unordered.onnx')
    expect(result.metrics).toMatchObject({ trial_run: { ok: true } })
    const { nodes } = openModelFile(pathOf(result, 'canonical')).model.graph
    expect(nodes.map(({ opType }) => opType)).toEqual(['Cast', 'Relu'])
  })

  it('names a node of a cycle', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4])
      .node('Add', ['x', 'b'], ['a'])
      .node('Relu', ['a'], ['b'])
      .output('b')
      .build()
    await expect(inspect(built, 'cycle.onnx')).rejects.toMatchObject({
      code: 'graph_invalid',
      message: expect.stringContaining('reads "b", which only a later node produces') as string,
    })
  })
})
