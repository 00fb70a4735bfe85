import { model } from '@pare/graph/testing'
import { expect, it } from 'vitest'

import { optimize, randomValues } from '../testing.js'
import { convertFloat16 } from './convert-float16.js'
import { readBackFloat16 } from './read-back-float16.js'

const original = model()
  .input('x', 'float32', [4, 8])
  .floats('w', [8, 8], randomValues(64, 1))
  .node('MatMul', ['x', 'w'], ['m'])
  .named('layer')
  .node('Transpose', ['m'], ['t'], { perm: [1, 0] })
  .named('move')
  .node('MatMul', ['w', 't'], ['y'])
  .named('last')
  .output('y')
  .build()

it('tells what onnxruntime computes in float16 and what in float32', async () => {
  const result = convertFloat16(original)
  expect(result.layers.map(({ decision }) => decision)).toEqual(['float16', 'float16', 'float16'])
  const read = await readBackFloat16(result, 'float16', optimize)
  expect(read.layers.find(({ node }) => node === 'layer')?.computedIn).toBe('float32')
  expect(read.castsInserted).toBeGreaterThanOrEqual(0)
  expect(read.float32Nodes).toBeGreaterThanOrEqual(2)
  expect(read.diagnostics.map(({ code }) => code)).toEqual(['float16_computed_in_float32'])
})

it('refuses bfloat16 where the runtime has no kernels for it', async () => {
  const result = convertFloat16(original, { type: 'bfloat16' })
  expect(result.layers.map(({ decision }) => decision)).toEqual([
    'bfloat16',
    'bfloat16',
    'bfloat16',
  ])
  await expect(readBackFloat16(result, 'bfloat16', optimize)).rejects.toMatchObject({
    code: 'narrow_type_unsupported',
    kind: 'unsupported',
  })
})

it('accepts bfloat16 where only data moves', async () => {
  const moving = model()
    .input('i', 'int64', [3])
    .floats('table', [256, 8], randomValues(2048, 2))
    .node('Gather', ['table', 'i'], ['y'])
    .output('y', 'float32', [3, 8])
    .build()
  const result = convertFloat16(moving, { type: 'bfloat16' })
  const read = await readBackFloat16(result, 'bfloat16', optimize)
  expect(read).toMatchObject({ narrowNodes: 1, float32Nodes: 0, diagnostics: [] })
})
