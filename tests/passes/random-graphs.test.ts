// Random graphs of layers and everything that can be folded into them, with shared weights,
// branches and outputs in the middle: whatever the passes find, the results stay.
import { attr, checkModel, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { prepareModel } from '@pare/passes'
import { createRandom, elementCount, type Random, tensorFromInts } from '@pare/tensor'
import { expect, it } from 'vitest'

import { expectSameOutputs, openModel, randomFloats } from '../support/run-model.js'

const CHANNELS = 3
const GRAPHS = 40
const NODES = 12

interface Growth {
  readonly builder: ModelBuilder
  readonly random: Random
  readonly fresh: (hint: string) => string
  readonly constant: (dims: readonly number[]) => string
}

/** Appends one op to `value` [n, 3, 5, 5] and returns its output, of the same shape. */
type Step = (value: string, growth: Growth) => string

function unary(
  opType: string,
  attributes: Parameters<ModelBuilder['node']>[3] = {},
  ...constants: readonly (readonly number[])[]
): Step {
  return (value, { builder, fresh, constant }) => {
    const output = fresh(opType)
    builder.node(opType, [value, ...constants.map(constant)], [output], attributes)
    return output
  }
}

function arithmetic(opType: string, dims: readonly number[], constantFirst = false): Step {
  return (value, { builder, fresh, constant }) => {
    const output = fresh(opType)
    const other = constant(dims)
    builder.node(opType, constantFirst ? [other, value] : [value, other], [output])
    return output
  }
}

const STEPS: readonly Step[] = [
  unary('Conv', { pads: [1, 1, 1, 1] }, [CHANNELS, CHANNELS, 3, 3], [CHANNELS]),
  unary('Conv', {}, [CHANNELS, CHANNELS, 1, 1]),
  unary('Conv', { group: CHANNELS }, [CHANNELS, 1, 1, 1]),
  unary('ConvTranspose', {}, [CHANNELS, CHANNELS, 1, 1], [CHANNELS]),
  unary('BatchNormalization', {}, [CHANNELS], [CHANNELS], [CHANNELS], [CHANNELS]),
  unary('BatchNormalization', {}, [CHANNELS], [CHANNELS], [CHANNELS], [CHANNELS]),
  arithmetic('Mul', [CHANNELS, 1, 1]),
  arithmetic('Add', [1, CHANNELS, 1, 1], true),
  arithmetic('Sub', [CHANNELS, 1, 1], true),
  arithmetic('Div', [1]),
  arithmetic('Add', [5]),
  unary('Relu'),
  unary('Identity'),
  unary('Dropout'),
  unary('Transpose', { perm: [0, 1, 2, 3] }),
  unary('LeakyRelu', { alpha: attr.float(0.1) }),
  (value, growth) => {
    const padded = growth.fresh('padded')
    growth.builder.node('Pad', [value, 'pads'], [padded])
    const pool = growth.random.uniform() < 0.5
    return pool
      ? unary('AveragePool', { kernel_shape: [3, 3] })(padded, growth)
      : unary('Conv', {}, [CHANNELS, CHANNELS, 3, 3])(padded, growth)
  },
]

function randomModel(seed: number): Model {
  const random = createRandom(seed)
  const builder = model({ opset: 11 + random.below(7), irVersion: 8 })
    .input('x', 'float32', ['n', CHANNELS, 5, 5])
    .initializer('pads', tensorFromInts('int64', [8], [0, 0, 1, 1, 0, 0, 1, 1]))
  let names = 0
  const fresh = (hint: string) => `${hint}_${names++}`
  const byShape = new Map<string, string[]>()
  const constant = (dims: readonly number[]) => {
    const known = byShape.get(dims.join()) ?? []
    // Every third constant is one that another node has already.
    if (known.length > 0 && random.below(3) === 0) return known[random.below(known.length)]!
    const name = fresh('constant')
    // Positive, since some are variances or divisors.
    builder.floats(
      name,
      dims,
      Array.from({ length: elementCount(dims) }, () => 0.5 + random.uniform()),
    )
    byShape.set(dims.join(), [...known, name])
    return name
  }
  const values = ['x']
  for (let i = 0; i < NODES; i++) {
    // Mostly a chain, so that there is something to fold.
    const value = values[random.below(4) === 0 ? random.below(values.length) : values.length - 1]!
    const step = STEPS[random.below(STEPS.length)]!
    values.push(step(value, { builder, random, fresh, constant }))
  }
  const inner = values.slice(1, -1).filter(() => random.below(6) === 0)
  for (const output of new Set([...inner, values.at(-1)!])) builder.output(output)
  return builder.build()
}

it(`keeps the results of ${GRAPHS} random graphs`, async () => {
  let folded = 0
  for (let seed = 0; seed < GRAPHS; seed++) {
    const before = randomModel(seed)
    checkModel(before)
    const x = randomFloats([2, CHANNELS, 5, 5], seed)
    const { model: after } = await prepareModel(before, { open: openModel, feeds: { x } })
    checkModel(after)
    folded += before.graph.nodes.length - after.graph.nodes.length
    await expectSameOutputs(before, after, { x }, { relative: 2e-5, mayBeZero: true })
  }
  expect(folded).toBeGreaterThan(GRAPHS)
})
