// Every word of the emitter, in every opset that writes it differently: onnxruntime computes what is
// written, and the numbers are those of the definition.
import { attr, checkModel, editGraph, type Model, type Value } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { type Emitter, emitter, type ValueName } from '@pare/ops'
import { type RuntimeTensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { runModel } from '../support/run-model.js'

const OPSETS = [7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 23, 26]

const X = [-1.5, 0, 2, 0.5, 1, -3]
const Y = [2, 0.5, -1]
/** Positive. */
const P = [0.5, 1, 2, 3, 4, 5]

const FEEDS: Readonly<Record<string, RuntimeTensor>> = {
  x: { dataType: 'float32', dims: [2, 3], data: Float32Array.from(X) },
  y: { dataType: 'float32', dims: [3], data: Float32Array.from(Y) },
  p: { dataType: 'float32', dims: [2, 3], data: Float32Array.from(P) },
  indices: { dataType: 'int64', dims: [2, 1], data: BigInt64Array.of(2n, 0n) },
  yes: { dataType: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) },
  no: { dataType: 'bool', dims: [3], data: Uint8Array.of(0, 0, 1) },
}

interface Case {
  /** First opset that has it. Default 7. */
  readonly since?: number
  readonly write: (words: Emitter) => ValueName | readonly ValueName[]
  /** Elements of the result, or of each result one after the other. */
  readonly gives: readonly number[]
  readonly dims?: readonly number[]
}

const overX = (f: (x: number, y: number) => number) => X.map((x, i) => f(x, Y[i % 3]!))
const number = (truth: boolean) => Number(truth)

function softmax(rows: readonly (readonly number[])[]): number[] {
  return rows.flatMap((row) => {
    const sum = row.reduce((total, x) => total + Math.exp(x), 0)
    return row.map((x) => Math.exp(x) / sum)
  })
}

const rows = [X.slice(0, 3), X.slice(3)]
const columns = [0, 1, 2].map((i) => [X[i]!, X[i + 3]!])
const acrossRows = softmax(columns)
/** Of the columns' softmax, in the order of x. */
const softmaxOfAxis0 = [0, 2, 4, 1, 3, 5].map((i) => acrossRows[i]!)

const WORDS: Readonly<Record<Exclude<keyof Emitter, 'opset'>, readonly Case[]>> = {
  add: [
    { write: (e) => e.add('x', 'y'), gives: overX((x, y) => x + y) },
    { write: (e) => e.add(1, 'x'), gives: X.map((x) => 1 + x) },
  ],
  sub: [{ write: (e) => e.sub('x', 'y'), gives: overX((x, y) => x - y) }],
  mul: [{ write: (e) => e.mul(e.mul('x', 2), 2), gives: X.map((x) => 4 * x) }],
  div: [{ write: (e) => e.div('x', 'y'), gives: overX((x, y) => x / y) }],
  pow: [{ write: (e) => e.pow('p', 2), gives: P.map((p) => p * p) }],
  max: [{ since: 8, write: (e) => e.max('x', 'y'), gives: overX(Math.max) }],
  min: [{ since: 8, write: (e) => e.min('x', 0), gives: X.map((x) => Math.min(x, 0)) }],
  neg: [{ write: (e) => e.neg('x'), gives: X.map((x) => -x) }],
  abs: [{ write: (e) => e.abs('x'), gives: X.map(Math.abs) }],
  exp: [{ write: (e) => e.exp('x'), gives: X.map(Math.exp) }],
  log: [{ write: (e) => e.log('p'), gives: P.map(Math.log) }],
  sqrt: [{ write: (e) => e.sqrt('p'), gives: P.map(Math.sqrt) }],
  reciprocal: [{ write: (e) => e.reciprocal('p'), gives: P.map((p) => 1 / p) }],
  sign: [{ since: 9, write: (e) => e.sign('x'), gives: X.map(Math.sign) }],
  erf: [{ since: 9, write: (e) => e.erf('y'), gives: [0.995322265, 0.5204998778, -0.8427007929] }],
  sigmoid: [{ write: (e) => e.sigmoid('x'), gives: X.map((x) => 1 / (1 + Math.exp(-x))) }],
  tanh: [{ write: (e) => e.tanh('x'), gives: X.map(Math.tanh) }],
  relu: [{ write: (e) => e.relu('x'), gives: X.map((x) => Math.max(x, 0)) }],
  softplus: [{ write: (e) => e.softplus('x'), gives: X.map((x) => Math.log1p(Math.exp(x))) }],
  sin: [{ write: (e) => e.sin('x'), gives: X.map(Math.sin) }],
  cos: [{ write: (e) => e.cos('x'), gives: X.map(Math.cos) }],
  floor: [{ write: (e) => e.floor('x'), gives: X.map(Math.floor) }],
  ceil: [{ write: (e) => e.ceil('x'), gives: X.map(Math.ceil) }],
  round: [{ since: 11, write: (e) => e.round('x'), gives: [-2, 0, 2, 0, 1, -3] }],
  identity: [{ write: (e) => e.identity('x'), gives: X }],
  equal: [{ since: 11, write: (e) => e.equal('x', 0), gives: X.map((x) => number(x === 0)) }],
  less: [{ write: (e) => e.less('x', 'y'), gives: overX((x, y) => number(x < y)) }],
  greater: [{ write: (e) => e.greater('x', 'y'), gives: overX((x, y) => number(x > y)) }],
  lessOrEqual: [
    { since: 11, write: (e) => e.lessOrEqual('x', 0), gives: X.map((x) => number(x <= 0)) },
  ],
  greaterOrEqual: [
    { since: 11, write: (e) => e.greaterOrEqual('x', 0), gives: X.map((x) => number(x >= 0)) },
  ],
  not: [{ write: (e) => e.not('yes'), gives: [0, 1, 0] }],
  and: [{ write: (e) => e.and('yes', 'no'), gives: [0, 0, 1] }],
  or: [{ write: (e) => e.or('yes', 'no'), gives: [1, 0, 1] }],
  where: [{ since: 9, write: (e) => e.where('yes', 'y', 0), gives: [2, 0, -1] }],
  cast: [
    { since: 9, write: (e) => e.cast('yes', 'float32'), gives: [1, 0, 1] },
    { since: 9, write: (e) => e.cast('p', 'int64'), gives: P.map(Math.trunc) },
  ],
  clip: [
    { write: (e) => e.clip('x', -1, 1), gives: X.map((x) => Math.min(Math.max(x, -1), 1)) },
    { write: (e) => e.clip('x', undefined, 1), gives: X.map((x) => Math.min(x, 1)) },
    { write: (e) => e.clip('x', -1), gives: X.map((x) => Math.max(x, -1)) },
    {
      since: 11,
      write: (e) => e.clip('x', e.reduceMin('y', undefined, { keepDims: false })),
      gives: X.map((x) => Math.max(x, -1)),
    },
  ],
  reduceSum: [
    { write: (e) => e.reduceSum('x', [1]), gives: [0.5, -1.5], dims: [2, 1] },
    { write: (e) => e.reduceSum('x', [0], { keepDims: false }), gives: [-1, 1, -1], dims: [3] },
    { write: (e) => e.reduceSum('x'), gives: [-1], dims: [1, 1] },
    { write: (e) => e.reduceSum('x', []), gives: X },
    { since: 11, write: (e) => e.reduceSum('x', [-1]), gives: [0.5, -1.5], dims: [2, 1] },
    { since: 13, write: (e) => e.reduceSum('x', e.ints([1])), gives: [0.5, -1.5], dims: [2, 1] },
  ],
  reduceMean: [
    { write: (e) => e.reduceMean('x', [0, 1]), gives: [-1 / 6], dims: [1, 1] },
    { write: (e) => e.reduceMean('x', [0]), gives: [-0.5, 0.5, -0.5], dims: [1, 3] },
  ],
  reduceMax: [{ write: (e) => e.reduceMax('x', [1]), gives: [2, 1] }],
  reduceMin: [{ write: (e) => e.reduceMin('x', [1]), gives: [-1.5, -3] }],
  reduceProd: [{ write: (e) => e.reduceProd('x', [1]), gives: [0, -1.5] }],
  argMax: [
    { write: (e) => e.argMax('x', 1), gives: [2, 1], dims: [2, 1] },
    { write: (e) => e.argMax('x', 0, { keepDims: false }), gives: [1, 1, 0], dims: [3] },
  ],
  softmax: [
    { since: 11, write: (e) => e.softmax('x'), gives: softmax(rows) },
    { write: (e) => e.softmax('x', 1), gives: softmax(rows) },
    { write: (e) => e.softmax('x', 0), gives: softmaxOfAxis0 },
  ],
  logSoftmax: [{ write: (e) => e.logSoftmax('x', 0), gives: softmaxOfAxis0.map(Math.log) }],
  transpose: [
    { write: (e) => e.transpose('x'), gives: columns.flat(), dims: [3, 2] },
    { write: (e) => e.transpose('x', [0, 1]), gives: X, dims: [2, 3] },
  ],
  reshape: [
    { write: (e) => e.reshape('x', [3, -1]), gives: X, dims: [3, 2] },
    { write: (e) => e.reshape('x', e.shape('p')), gives: X, dims: [2, 3] },
  ],
  flatten: [{ write: (e) => e.flatten('x', 0), gives: X, dims: [1, 6] }],
  shape: [{ write: (e) => e.shape('x'), gives: [2, 3] }],
  size: [{ write: (e) => e.size('x'), gives: [6], dims: [] }],
  expand: [{ since: 8, write: (e) => e.expand('y', [2, 3]), gives: [...Y, ...Y], dims: [2, 3] }],
  zerosLike: [{ since: 9, write: (e) => e.zerosLike('x'), gives: X.map(() => 0), dims: [2, 3] }],
  tile: [{ write: (e) => e.tile('y', [2]), gives: [...Y, ...Y] }],
  concat: [{ write: (e) => e.concat(['x', 'p'], 0), gives: [...X, ...P], dims: [4, 3] }],
  squeeze: [{ write: (e) => e.squeeze(e.unsqueeze('x', [0, 3]), [0]), gives: X, dims: [2, 3, 1] }],
  unsqueeze: [
    { write: (e) => e.unsqueeze('x', [1]), gives: X, dims: [2, 1, 3] },
    { since: 13, write: (e) => e.unsqueeze('x', e.ints([1])), gives: X, dims: [2, 1, 3] },
  ],
  slice: [
    {
      write: (e) => e.slice('x', { starts: [1], ends: [3], axes: [1] }),
      gives: [0, 2, 1, -3],
      dims: [2, 2],
    },
    {
      since: 10,
      write: (e) => e.slice('x', { starts: [0, 0], ends: [2, 3], steps: [1, 2] }),
      gives: [-1.5, 2, 0.5, -3],
    },
  ],
  split: [{ write: (e) => e.split('x', [1, 2], 1), gives: [-1.5, 0.5, 0, 2, 1, -3] }],
  pad: [
    { write: (e) => e.pad('y', [1, 0]), gives: [0, ...Y] },
    { write: (e) => e.pad('y', [0, 1], 7), gives: [...Y, 7] },
  ],
  gather: [
    { write: (e) => e.gather('x', 'indices', 1), gives: [2, -1.5, -3, 0.5], dims: [2, 2, 1] },
    { write: (e) => e.gather('y', [2, 2, 0]), gives: [-1, -1, 2] },
  ],
  gatherElements: [
    { since: 11, write: (e) => e.gatherElements('x', 'indices', 1), gives: [2, 0.5] },
  ],
  scatterElements: [
    {
      since: 11,
      write: (e) =>
        e.scatterElements(['x', 'indices', e.gatherElements('p', 'indices', 1)], { axis: 1 }),
      gives: [-1.5, 0, 2, 3, 1, -3],
    },
    {
      since: 16,
      write: (e) =>
        e.scatterElements(['x', 'indices', e.gatherElements('p', 'indices', 1)], {
          axis: 1,
          reduction: 'add',
        }),
      gives: [-1.5, 0, 4, 3.5, 1, -3],
    },
  ],
  scatterND: [
    {
      since: 11,
      write: (e) => e.scatterND(['y', 'indices', e.gather('y', [1, 1])]),
      gives: [0.5, 0.5, 0.5],
    },
    {
      since: 16,
      write: (e) => e.scatterND(['y', 'indices', e.gather('y', [1, 1])], { reduction: 'mul' }),
      gives: [1, 0.5, -0.5],
    },
  ],
  oneHot: [
    { since: 9, write: (e) => e.oneHot('indices', 3), gives: [0, 0, 1, 1, 0, 0], dims: [2, 1, 3] },
  ],
  constant: [
    {
      write: (e) => e.add(e.constant(tensorFromFloat32([3], Float32Array.from(Y))), 'y'),
      gives: Y.map((y) => 2 * y),
    },
  ],
  scalar: [
    {
      write: (e) => e.add(e.cast(e.scalar(3, 'int64'), 'float32'), 'y'),
      gives: Y.map((y) => 3 + y),
    },
  ],
  ints: [{ write: (e) => e.reshape('x', e.ints([6])), gives: X, dims: [6] }],
  matMul: [{ write: (e) => e.matMul('x', 'y'), gives: [-5, 4.5], dims: [2] }],
  gemm: [
    {
      write: (e) =>
        e.gemm(['x', 'p', e.constant(tensorFromFloat32([1], Float32Array.of(1)))], {
          transB: true,
          beta: 2,
        }),
      gives: rows.flatMap((x) =>
        [P.slice(0, 3), P.slice(3)].map((p) => x.reduce((sum, value, k) => sum + value * p[k]!, 2)),
      ),
      dims: [2, 2],
    },
    {
      since: 11,
      write: (e) => e.gemm(['x', 'x'], { transA: true, alpha: 0.5 }),
      gives: columns.flatMap((a) => columns.map((b) => (a[0]! * b[0]! + a[1]! * b[1]!) / 2)),
      dims: [3, 3],
    },
  ],
  op: [
    {
      write: (e) => e.op('Elu', ['x'], { alpha: attr.float(1) }),
      gives: X.map((x) => (x < 0 ? Math.expm1(x) : x)),
    },
  ],
  opWithOutputs: [
    {
      since: 10,
      write: (e) => e.opWithOutputs(2, 'TopK', ['x', e.ints([1])]),
      gives: [2, 1, 2, 1],
    },
  ],
}

function built(opset: number, write: Case['write']): Model {
  const inputs = Object.entries(FEEDS).reduce(
    (builder, [name, { dataType, dims }]) => builder.input(name, dataType, dims),
    model({ opset, irVersion: 8 }),
  )
  const editor = editGraph(inputs.build())
  const written = write(emitter(editor))
  const results = typeof written === 'string' ? [written] : written
  const outputs = results.map((_, i): Value => ({ name: `result_${i}`, metadataProps: [] }))
  editor.setOutputs(outputs)
  results.forEach((result, i) => editor.replaceUses(`result_${i}`, result))
  return editor.finish()
}

describe.each(Object.entries(WORDS))('%s', (_word, cases) => {
  it.each(cases.map((one, i) => ({ ...one, title: `case ${i}` })))(
    'writes the same in every opset: $title',
    async ({ since = 7, write, gives, dims }) => {
      for (const opset of OPSETS.filter((known) => known >= since)) {
        const made = built(opset, write)
        checkModel(made)
        const results = Object.values(await runModel(made, FEEDS))
        const values = results.flatMap(({ data }) =>
          Array.from(data as ArrayLike<number | bigint>, Number),
        )
        expect(values.length, `opset ${opset}`).toBe(gives.length)
        values.forEach((value, i) => {
          expect(value, `opset ${opset}, element ${i}`).toBeCloseTo(gives[i]!, 5)
        })
        if (dims !== undefined) expect(results[0]!.dims, `opset ${opset}`).toEqual(dims)
      }
    },
  )
})

describe('the emitter', () => {
  it('says which opset has what the model’s opset lacks', () => {
    const at = (opset: number, write: Case['write']) => () => built(opset, write)
    const refused = { code: 'operator_unavailable' }
    expect(at(8, (e) => e.sign('x'))).toThrow(expect.objectContaining(refused))
    expect(at(12, (e) => e.unsqueeze('x', e.shape('y')))).toThrow(/opset 13/)
    expect(at(17, (e) => e.reduceMax('x', e.ints([0])))).toThrow(/opset 18/)
    expect(at(10, (e) => e.clip('x', e.reduceMin('x')))).toThrow(/opset 11/)
    expect(at(15, (e) => e.scatterND(['y', 'indices', 'y'], { reduction: 'add' }))).toThrow(
      /opset 16/,
    )
  })

  it('makes a constant once, and names that nothing uses', () => {
    const { graph } = built(17, (e) => [e.mul('x', 0.5), e.add(e.mul('y', 0.5), -0), e.add('y', 0)])
    expect([...graph.initializers.values()].map((tensor) => [...toFloat32(tensor)])).toEqual([
      [0.5],
      [-0],
      [0],
    ])
    expect(new Set(graph.nodes.map(({ name }) => name)).size).toBe(graph.nodes.length)
  })

  it('writes numbers in the type it is told', () => {
    const editor = editGraph(model({ opset: 17 }).input('h', 'float16', [2]).build())
    emitter(editor, { floatType: 'float16' }).mul('h', 0.5)
    expect(
      [...editor.finish().graph.initializers.values()].map(({ dataType }) => dataType),
    ).toEqual(['float16'])
  })
})
