// Random networks for tests of factors per channel: layers of very different channels, and between
// them what passes factors, what stops them, branches, sums and outputs in the middle.
import { attr, editGraph, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import type { RuntimeTensor } from '@pare/tensor'
import { createRandom, type Random, tensorFromInts } from '@pare/tensor'

const CHANNELS = 4
const SIZE = 6
const LENGTH = 10

interface Growth {
  readonly builder: ModelBuilder
  readonly random: Random
  readonly fresh: (hint: string) => string
  readonly constant: (dims: readonly number[]) => string
  /** An earlier value of the same shape. */
  readonly earlier: () => string
}

/** Appends nodes to a value [n, 4, 6, 6] and returns their output, of the same shape. */
type Step = (value: string, growth: Growth) => string

function op(
  opType: string,
  attributes: Parameters<ModelBuilder['node']>[3] = {},
  ...constants: readonly (readonly number[])[]
): Step {
  return (value, { builder, fresh, constant }) => {
    const output = fresh(opType)
    builder.node(opType, [value, ...constants.map((dims) => constant(dims))], [output], attributes)
    return output
  }
}

const chain =
  (...steps: readonly Step[]): Step =>
  (value, growth) =>
    steps.reduce((at, step) => step(at, growth), value)

const withEarlier =
  (opType: string): Step =>
  (value, { builder, fresh, earlier }) => {
    const output = fresh(opType)
    builder.node(opType, [value, earlier()], [output])
    return output
  }

const clip =
  (max: string): Step =>
  (value, { builder, fresh }) => {
    const output = fresh('clip')
    builder.node('Clip', [value, 'zero', max], [output])
    return output
  }

const conv = op('Conv', { pads: [1, 1, 1, 1] }, [CHANNELS, CHANNELS, 3, 3], [CHANNELS])
const depthwise = op(
  'Conv',
  { pads: [1, 1, 1, 1], group: CHANNELS },
  [CHANNELS, 1, 3, 3],
  [CHANNELS],
)

const STEPS: readonly Step[] = [
  conv,
  conv,
  chain(conv, op('Relu')),
  chain(conv, op('Relu'), depthwise, op('Relu'), op('Conv', {}, [CHANNELS, CHANNELS, 1, 1])),
  depthwise,
  op('Conv', { group: 2 }, [CHANNELS, 2, 1, 1], [CHANNELS]),
  op('ConvTranspose', { group: 2 }, [CHANNELS, 2, 1, 1], [CHANNELS]),
  op('Relu'),
  op('LeakyRelu', { alpha: attr.float(0.2) }),
  op('PRelu', {}, [CHANNELS, 1, 1]),
  op('Sigmoid'),
  op('MaxPool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  op('AveragePool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  op('Mul', {}, [1]),
  op('Mul', {}, [CHANNELS, 1, 1]),
  op('Div', {}, [1, CHANNELS, 1, 1]),
  op('Add', {}, [CHANNELS, 1, 1]),
  op('Sub', {}, [1]),
  op('Add', {}, [SIZE]),
  withEarlier('Add'),
  withEarlier('Sub'),
  withEarlier('Mul'),
  clip(''),
  clip('six'),
  chain(
    op('Transpose', { perm: [0, 2, 3, 1] }),
    op('MatMul', {}, [CHANNELS, CHANNELS]),
    op('Transpose', { perm: [0, 3, 1, 2] }),
  ),
  (value, growth) => {
    const output = growth.fresh('concat')
    growth.builder.node('Concat', [value, growth.earlier()], [output], { axis: 1 })
    return op('Conv', {}, [CHANNELS, 2 * CHANNELS, 1, 1], [CHANNELS])(output, growth)
  },
  (value, { builder, fresh }) => {
    const output = fresh('padded')
    builder.node('Pad', [value, 'pads'], [output])
    const cut = fresh('pooled')
    builder.node('MaxPool', [output], [cut], { kernel_shape: [3, 3] })
    return cut
  },
  (value, { builder, fresh, constant }) => {
    const output = fresh('normalized')
    const [scale, shift, mean] = [constant([CHANNELS]), constant([CHANNELS]), constant([CHANNELS])]
    builder.node('BatchNormalization', [value, scale, shift, mean, 'variance'], [output])
    return output
  },
  (value, growth) => {
    const [long, output] = [growth.fresh('long'), growth.fresh('short')]
    growth.builder.node('Concat', [value, growth.earlier()], [long], { axis: -2 })
    growth.builder.node('MaxPool', [long], [output], { kernel_shape: [SIZE + 1, 1] })
    return output
  },
  (value, { builder, fresh }) => {
    const [large, output] = [fresh('large'), fresh('small')]
    builder.node('Resize', [value, '', 'scales'], [large], { mode: 'linear' })
    builder.node('AveragePool', [large], [output], { kernel_shape: [2, 2], strides: [2, 2] })
    return output
  },
  (value, { builder, fresh, ...growth }) => {
    const [line, output] = [fresh('line'), fresh('square')]
    builder.node('Reshape', [value, 'asLine'], [line])
    const conv1d = op('Conv', {}, [CHANNELS, CHANNELS, 1])(line, { builder, fresh, ...growth })
    builder.node('Reshape', [conv1d, 'asSquare'], [output])
    return output
  },
  // Squeeze and excitation: a factor per channel, computed from the value itself.
  (value, growth) => {
    const squeeze = chain(
      op('GlobalAveragePool'),
      op('Conv', {}, [CHANNELS, CHANNELS, 1, 1], [CHANNELS]),
      op('Relu'),
      op('Conv', {}, [CHANNELS, CHANNELS, 1, 1]),
      op('Sigmoid'),
    )
    const output = growth.fresh('excited')
    growth.builder.node('Mul', [value, squeeze(value, growth)], [output])
    return output
  },
]

/** These can divide by next to nothing, and then rounding shows. */
const NORMS: readonly Step[] = [
  op('InstanceNormalization', {}, [CHANNELS], [CHANNELS]),
  chain(
    op('Transpose', { perm: [0, 2, 3, 1] }),
    op('LayerNormalization', {}, [CHANNELS], [CHANNELS]),
    op('MatMul', {}, [CHANNELS, CHANNELS]),
    op('Add', {}, [CHANNELS]),
    op('Transpose', { perm: [0, 3, 1, 2] }),
  ),
]

/** Ends of [n, 4, 6, 6] in two layers over its channels. */
const ENDS: readonly Step[] = [
  (value, growth) => {
    const [pooled, output] = [growth.fresh('pooled'), growth.fresh('squeezed')]
    growth.builder.node('GlobalMaxPool', [value], [pooled])
    growth.builder.node('Squeeze', [pooled, 'spatial'], [output])
    return op('Gemm', {}, [CHANNELS, 3], [3])(output, growth)
  },
  chain(
    op('Flatten'),
    op('Gemm', {}, [CHANNELS * SIZE * SIZE, 5], [5]),
    op('Relu'),
    op('Gemm', { transB: 1, beta: attr.float(0.5) }, [3, 5], [3]),
  ),
  chain(
    op('GlobalAveragePool'),
    op('Flatten'),
    op('Relu'),
    op('Gemm', { alpha: attr.float(2) }, [CHANNELS, 3], [1]),
  ),
  chain(
    op('ReduceMean', { axes: [2, 3], keepdims: 0 }),
    op('MatMul', {}, [CHANNELS, 5]),
    op('Add', {}, [5]),
    op('Relu'),
    op('MatMul', {}, [5, 3]),
  ),
  (value, growth) => {
    const output = growth.fresh('flat')
    growth.builder.node('Reshape', [value, 'rest'], [output])
    return op('Gemm', {}, [CHANNELS * SIZE * SIZE, 3], [3])(output, growth)
  },
]

/** A network [n, 4, 6, 6] → [n, 3] of about ten steps, and maybe outputs in the middle. */
export function randomNetwork(seed: number, { norms = true } = {}): Model {
  const steps = norms ? [...STEPS, ...NORMS] : STEPS
  const random = createRandom(seed)
  const builder = model({ opset: 17, irVersion: 8 })
    .input('x', 'float32', ['n', CHANNELS, SIZE, SIZE])
    .floats('zero', [], [0])
    .floats('six', [], [6])
    .initializer('pads', tensorFromInts('int64', [8], [0, 0, 1, 1, 0, 0, 1, 1]))
    .floats('variance', [CHANNELS], [1, 2, 3, 4])
    .floats('scales', [4], [1, 1, 2, 2])
    .initializer('asLine', tensorFromInts('int64', [3], [0, CHANNELS, -1]))
    .initializer('asSquare', tensorFromInts('int64', [4], [0, CHANNELS, SIZE, SIZE]))
    .initializer('spatial', tensorFromInts('int64', [2], [2, -1]))
    .initializer('rest', tensorFromInts('int64', [2], [0, -1]))
  let names = 0
  const fresh = (hint: string) => `${hint}_${names++}`
  const constant = (dims: readonly number[]) => {
    const name = fresh('c')
    builder.floats(name, dims, channelValues(dims, random))
    return name
  }
  const values = [conv('x', { builder, random, fresh, constant, earlier: () => 'x' })]
  const earlier = () => values[random.below(values.length)]!
  const growth: Growth = { builder, random, fresh, constant, earlier }
  for (let i = 0; i < LENGTH; i++) {
    const from = random.uniform() < 0.8 ? values.at(-1)! : earlier()
    values.push(steps[random.below(steps.length)]!(from, growth))
  }
  const end = ENDS[random.below(ENDS.length)]!(values.at(-1)!, growth)
  builder.output(end)
  if (random.uniform() < 0.3) {
    const middle = earlier()
    if (middle !== end) builder.output(middle)
  }
  return builder.build()
}

/** Values about 1, with a size of its own for each channel along the first axis longer than 1. */
function channelValues(dims: readonly number[], random: Random): Float32Array {
  const axis = Math.max(
    dims.findIndex((size) => size > 1),
    0,
  )
  const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1)
  const total = dims.reduce((product, size) => product * size, 1)
  const sizes = Float64Array.from({ length: dims[axis] ?? 1 }, () => Math.exp(random.normal()))
  const fan = Math.sqrt(Math.max(inner, 1))
  return Float32Array.from({ length: total }, (_, i) => {
    const size = sizes[Math.floor(i / inner) % sizes.length]!
    const magnitude = 0.2 + Math.abs(random.normal())
    return (size * magnitude * (random.uniform() < 0.5 ? -1 : 1)) / fan
  })
}

/** The model with every value of another as an output. */
export function showing(shown: Model, of: Model): Model {
  const editor = editGraph(shown)
  const names = of.graph.nodes.flatMap(({ outputs }) => outputs)
  editor.setOutputs(names.map((name) => ({ name, metadataProps: [] })))
  return editor.finish()
}

/** Greatest difference, relative to the greatest value. */
export function relativeError(before: RuntimeTensor, after: RuntimeTensor): number {
  const [x, y] = [before.data as Float32Array, after.data as Float32Array]
  let most = 0
  let difference = 0
  for (let i = 0; i < x.length; i++) {
    most = Math.max(most, Math.abs(x[i]!))
    difference = Math.max(difference, Math.abs(x[i]! - y[i]!))
  }
  return most === 0 ? difference : difference / most
}
