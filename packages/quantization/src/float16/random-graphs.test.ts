// Random graphs of layers, elementwise, movement and blocked ops with shared weights, several
// readers and Casts: the result is valid, runs, and gives what the original gives.
import { checkModel, type Model, walkNodes } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { createRandom, type RuntimeTensor, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues, runModel } from '../testing.js'
import { convertFloat16 } from './convert-float16.js'
import type { ConvertFloat16Options } from './options.js'

const UNARY = ['Relu', 'Tanh', 'Sin', 'Transpose', 'Softmax', 'Sigmoid', 'Identity', 'Neg'] as const
const BINARY = ['Add', 'Sub', 'Max', 'MatMul', 'Mul'] as const

type Random = ReturnType<typeof createRandom>

/** A value with the shape [6, 6] of its float32 inputs. */
function addNode(
  graph: ModelBuilder,
  values: readonly string[],
  random: Random,
  id: number,
): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform() * list.length)]!
  const output = `v${id}`
  const kind = random.uniform()
  const [a, b] = [pick(values), pick(values)]
  if (kind < 0.3) graph.node('MatMul', [a, pick(['w0', 'w1'])], [output])
  else if (kind < 0.35)
    graph.node('CumSum', [a, 'axis'], [`${output}_sum`]).node('Tanh', [`${output}_sum`], [output])
  else if (kind < 0.4)
    graph
      .node('Cast', [a], [`${output}_h`], { to: 10 })
      .node('Cast', [`${output}_h`], [output], { to: 1 })
  else if (kind < 0.5) graph.node('Add', [a, pick(['w0', 'row'])], [output])
  else if (kind < 0.6) {
    const then = model()
      .node('MatMul', [a, 'w0'], [`${output}_t`])
      .output(`${output}_t`)
    const otherwise = model()
      .node('Sin', [b], [`${output}_e`])
      .output(`${output}_e`)
    graph.node('If', ['flag'], [output], {
      then_branch: then.graph(),
      else_branch: otherwise.graph(),
    })
  } else if (kind < 0.8) {
    graph.node(pick(UNARY), [a], [output])
  } else {
    graph.node(pick(BINARY), [a, b], [`${output}_b`]).node('Tanh', [`${output}_b`], [output])
  }
  return output
}

function randomModel(seed: number): Model {
  const random = createRandom(seed)
  const graph = model()
    .input('x', 'float32', [6, 6])
    .input('flag', 'bool', [])
    .floats('w0', [6, 6], randomValues(36, seed, 0.4))
    .floats('w1', [6, 6], randomValues(36, seed + 1, 0.4))
    .floats('row', [6], randomValues(6, seed + 2))
    .initializer('axis', tensorFromInts('int64', [], [1]))
  const values = ['x']
  const count = 3 + Math.floor(random.uniform() * 12)
  for (let i = 0; i < count; i++) values.push(addNode(graph, values, random, i))
  const outputs = new Set([values.at(-1)!, values[1 + Math.floor(random.uniform() * count)]!])
  for (const name of outputs) graph.output(name)
  return graph.build()
}

function feeds(seed: number): Readonly<Record<string, RuntimeTensor>> {
  const flag: RuntimeTensor = { dataType: 'bool', dims: [], data: Uint8Array.of(seed % 2) }
  return { x: randomTensor([6, 6], seed), flag }
}

/** Casts that the conversion put behind a Cast; the model's own have no names. */
function castChains({ graph }: Model): readonly string[] {
  const nodes = [...walkNodes(graph, { subgraphs: 'visit' })].filter(
    ({ opType }) => opType === 'Cast',
  )
  const made = new Set(nodes.map(({ outputs }) => outputs[0]!))
  const shown = new Set(graph.outputs.map(({ name }) => name))
  return nodes
    .filter(
      ({ name, inputs, outputs }) => name !== '' && made.has(inputs[0]!) && !shown.has(outputs[0]!),
    )
    .map(({ name }) => name)
}

describe('random graphs', () => {
  const variants: readonly ConvertFloat16Options[] = [
    {},
    { opBlockList: ['Softmax', 'Add', 'CumSum'] },
  ]

  it.each(variants.map((options, i) => [i, options] as const))(
    'give what they gave before (options %i)',
    async (_, options) => {
      let converted = 0
      for (let seed = 1; seed <= 60; seed++) {
        const original = randomModel(seed)
        const result = convertFloat16(original, options)
        if (result.model !== original) converted++
        checkModel(result.model)
        expect(castChains(result.model)).toEqual([])
        expect(result.model.graph.outputs).toEqual(original.graph.outputs)
        const before = await runModel(original, feeds(seed))
        const after = await runModel(result.model, feeds(seed))
        for (const [name, { data }] of Object.entries(before)) {
          const [a, b] = [data as Float32Array, after[name]!.data as Float32Array]
          const scale = Math.max(1, ...a.map(Math.abs))
          a.forEach((value, i) => {
            expect(Math.abs(value - b[i]!), `seed ${seed}, ${name}`).toBeLessThan(0.02 * scale)
          })
        }
      }
      expect(converted).toBeGreaterThan(40)
    },
  )
})
