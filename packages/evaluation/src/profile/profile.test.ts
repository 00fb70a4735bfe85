// Profiles of real sessions: what the runtime fused is found again in the file.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { attr, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { createRandom, type RuntimeTensor, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { opCosts } from './op-costs.js'
import { opFamily } from './op-family-table.js'
import { type ModelProfile, profileModel, type TraceRuns } from './profile-model.js'

const runtime = onnxRuntime()
const random = createRandom(3)
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
const image: RuntimeTensor = { dataType: 'float32', dims: [1, 8, 12, 12], data: normal(8 * 144) }

const trace: TraceRuns = async (source, options, use) => {
  const folder = await mkdtemp(join(tmpdir(), 'pare-profile-'))
  try {
    const session = await runtime.createSession(source, {
      ...options,
      profileFilePrefix: join(folder, 'trace'),
      optimizedModelPath: join(folder, 'optimized.onnx'),
    })
    await use(session)
    session.endProfiling()
    await session.release()
    const name = (await readdir(folder)).find((file) => file.endsWith('.json'))
    return {
      events: await readFile(join(folder, name ?? ''), 'utf8'),
      optimized: await readFile(join(folder, 'optimized.onnx')),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function profile(profiled: Model, feeds: Record<string, RuntimeTensor>) {
  const session = { intraOpThreads: 1 }
  const source = encodeModel(profiled)
  const made = await profileModel({ source, model: profiled, session, feeds, trace })
  if (made === null) throw new Error('there is a trace')
  return made
}

const shareOf = ({ kernels }: ModelProfile) => kernels.reduce((sum, { share }) => sum + share, 0)

/** Conv and Relu become one kernel of the blocked layout, under another name. */
function convolutions(): Model {
  return model()
    .input('x', 'float32', [1, 8, 12, 12])
    .floats('w', [8, 8, 3, 3], normal(576))
    .floats('b', [8], normal(8))
    .node('Conv', ['x', 'w', 'b'], ['c'], { kernel_shape: [3, 3] })
    .node('Relu', ['c'], ['r'])
    .node('GlobalAveragePool', ['r'], ['y'])
    .output('y', 'float32', [1, 8, 1, 1])
    .build()
}

describe('profileModel', () => {
  it('finds what a fused and renamed kernel computes, although no node has a name', async () => {
    const made = await profile(convolutions(), { x: image })
    const conv = made.kernels.find(({ covers }) => covers.includes('c'))
    expect(conv).toMatchObject({ kernel: 'Conv', node: 'c', covers: ['c', 'r'] })
    expect(made.kernels.find(({ covers }) => covers.includes('y'))?.node).toBe('y')
    expect(made.runs).toBeGreaterThan(0)
    expect(made.kernels_us).toBeGreaterThan(0)
    expect(shareOf(made)).toBeCloseTo(1)
  })

  it('is not led astray by names', async () => {
    const name = '"},\n{"cat": "\\u0041<script>'
    const odd = model()
      .input('x', 'float32', [64, 64])
      .floats('w', [64, 64], normal(4096))
      .node('MatMul', ['x', 'w'], [name])
      .named(name)
      .node('Sigmoid', [name], ['y'])
      .output('y', 'float32', [64, 64])
      .build()
    const made = await profile(odd, {
      x: { dataType: 'float32', dims: [64, 64], data: normal(4096) },
    })
    expect(made.kernels.map(({ kernel, node }) => [kernel, node])).toEqual([
      ['MatMul', name],
      ['Sigmoid', 'y'],
    ])
  })

  it('counts what a body computes for its nodes, and not for the If around it again', async () => {
    const branch = (value: string) =>
      model()
        .node('MatMul', ['x', 'w'], [`${value}_product`])
        .named(`${value}_node`)
        .node('Tanh', [`${value}_product`], [value])
        .output(value, 'float32', [64, 64])
        .build().graph
    const branching = model()
      .input('x', 'float32', [64, 64])
      .input('p', 'bool', [])
      .floats('w', [64, 64], normal(4096))
      .node('If', ['p'], ['y'], {
        then_branch: attr.graph(branch('then')),
        else_branch: attr.graph(branch('else')),
      })
      .output('y', 'float32', [64, 64])
      .build()
    const made = await profile(branching, {
      x: { dataType: 'float32', dims: [64, 64], data: normal(4096) },
      p: { dataType: 'bool', dims: [], data: Uint8Array.of(1) },
    })
    expect(made.kernels.map(({ kernel }) => kernel).sort()).toEqual(['If', 'MatMul', 'Tanh'])
    expect(made.kernels.find(({ kernel }) => kernel === 'MatMul')?.covers).toEqual(['then_product'])
    expect(made.kernels.find(({ kernel }) => kernel === 'If')?.covers).toEqual(['y'])
    expect(shareOf(made)).toBeCloseTo(1)
  })
})

describe('opCosts', () => {
  it('gives a weight behind DequantizeLinear to the operator that computes with it', () => {
    const float = model()
      .input('x', 'float32', [1, 64])
      .floats('w', [64, 4], normal(256))
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const quantized = model()
      .input('x', 'float32', [1, 64])
      .initializer('q', tensorFromInts('int8', [64, 4], new Int8Array(256)))
      .floats('s', [4], normal(4))
      .node('DequantizeLinear', ['q', 's'], ['w'], { axis: 1 })
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const rows = opCosts({ model: float, profile: null }, { model: quantized, profile: null })
    expect(rows).toEqual([
      {
        op_type: 'MatMul',
        original: { count: 1, bytes: 1024, time_share: null },
        result: { count: 1, bytes: 256 + 16, time_share: null },
      },
      {
        op_type: 'DequantizeLinear',
        original: { count: 0, bytes: 0, time_share: null },
        result: { count: 1, bytes: 0, time_share: null },
      },
    ])
  })

  it.each([
    ['QLinearConv', 'Conv'],
    ['QLinearAdd', 'Add'],
    ['DynamicQuantizeMatMul', 'MatMul'],
    ['QuantizeLinear', 'QuantizeLinear'],
    ['constructor', 'constructor'],
  ])('counts %s as %s', (kernel, family) => {
    expect(opFamily(kernel)).toBe(family)
  })
})
