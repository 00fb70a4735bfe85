import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import {
  attr,
  floatAttribute,
  intAttribute,
  intsAttribute,
  required,
  stringAttribute,
} from './attributes.js'
import { indexGraph } from './graph-index.js'
import { mapTensors, tensorsOf } from './map-tensors.js'
import { model } from './testing.js'
import { capturedValues, onnxOpset, opsetVersion, walkGraphs, walkNodes } from './walk.js'

const body = (name: string) =>
  model({ name })
    .floats(`${name}_k`, [1], [1])
    .node('Mul', ['a', `${name}_k`], [`${name}_z`])
    .output(`${name}_z`)
    .graph()

const branching = () =>
  model({ domains: { 'com.microsoft': 1 } })
    .input('x')
    .input('c', 'bool', [])
    .input('w')
    .floats('w', [1], [1])
    .floats('v', [1], [1])
    .node('Add', ['x', 'w'], ['a'])
    .node('If', ['c'], ['y'], { then_branch: body('then'), else_branch: body('else') })
    .node('Mul', ['a', 'a'], ['b'])
    .node('Constant', [], ['k'], { value: tensorFromInts('int64', [1], [7]) })
    .output('y')
    .output('b')
    .build()

describe('indexGraph', () => {
  const { graph } = branching()
  const index = indexGraph(graph)
  const opTypes = (value: string) => index.consumers(value).map(({ opType }) => opType)

  it('knows who makes and who reads a value, bodies included, each reader once', () => {
    expect(index.producer('a')?.opType).toBe('Add')
    expect(index.producer('x')).toBeUndefined()
    expect(opTypes('a')).toEqual(['If', 'Mul'])
    expect(opTypes('nothing')).toEqual([])
    expect(index.position(graph.nodes[2]!)).toBe(2)
  })

  it('knows inputs, outputs and constants', () => {
    expect(index.isGraphInput('x')).toBe(true)
    expect(index.isGraphOutput('b')).toBe(true)
    expect(index.isInitializer('w')).toBe(true)
    expect(index.constant('v')).toBe(graph.initializers.get('v'))
    expect(index.constant('k')?.dataType).toBe('int64')
    // A caller may feed `w`: its initializer is a default, not a constant.
    expect(index.constant('w')).toBeUndefined()
  })
})

describe('walking', () => {
  const { graph } = branching()

  it('enters bodies only when told to', () => {
    const opTypes = (subgraphs: 'visit' | 'skip') =>
      Array.from(walkNodes(graph, { subgraphs }), ({ opType }) => opType)
    expect(opTypes('skip')).toEqual(['Add', 'If', 'Mul', 'Constant'])
    expect(opTypes('visit')).toEqual(['Add', 'If', 'Mul', 'Mul', 'Mul', 'Constant'])
    expect(Array.from(walkGraphs(graph), ({ name }) => name)).toEqual(['test', 'then', 'else'])
  })

  it('tells what a node takes from outside through its bodies', () => {
    expect([...capturedValues(graph.nodes[1]!)]).toEqual(['a'])
  })

  it('finds the versions of operator sets', () => {
    expect(onnxOpset(branching())).toBe(21)
    expect(opsetVersion(branching(), 'com.microsoft')).toBe(1)
    expect(opsetVersion(branching(), 'none')).toBe(0)
  })

  it('reaches every tensor and changes it without touching the model', () => {
    const m = branching()
    expect(tensorsOf(m)).toHaveLength(5)
    const zero = tensorFromFloat32([1], new Float32Array(1))
    const changed = mapTensors(m, (tensor, place) => (place === 'initializer' ? zero : tensor))
    expect(tensorsOf(changed).filter((tensor) => tensor === zero)).toHaveLength(4)
    expect(tensorsOf(m)).not.toContain(zero)
    expect(changed.graph.nodes[2]).toBe(m.graph.nodes[2])
  })
})

describe('attributes', () => {
  const [node] = model()
    .node('Test', ['x'], ['y'], {
      axis: -1,
      perm: [1, 0],
      mode: 'linear',
      alpha: attr.float(0.1),
      huge: 2n ** 60n,
    })
    .named('t')
    .build().graph.nodes

  it('are read by type, with a default where they are absent', () => {
    expect(intAttribute(node!, 'axis')).toBe(-1)
    expect(intAttribute(node!, 'other', 3)).toBe(3)
    expect(intsAttribute(node!, 'perm')).toEqual([1, 0])
    expect(stringAttribute(node!, 'mode')).toBe('linear')
    expect(floatAttribute(node!, 'alpha')).toBe(Math.fround(0.1))
    expect(floatAttribute(node!, 'beta')).toBeUndefined()
  })

  it.each([
    ['another type', () => floatAttribute(node!, 'axis')],
    ['an integer beyond 2^53', () => intAttribute(node!, 'huge')],
    ['absence where they are required', () => required(intAttribute(node!, 'to'), node!, 'to')],
  ])('refuse %s, naming the node', (_, get) => {
    expect(get).toThrow(
      expect.objectContaining({
        code: 'attribute_type_mismatch',
        message: expect.stringContaining('Test "t"') as string,
      }),
    )
  })
})
