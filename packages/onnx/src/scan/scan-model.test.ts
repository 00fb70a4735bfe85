import { CodedError } from '@pare/errors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { ByteSource } from './byte-source.js'
import type { ScanErrorCode } from './errors.js'
import { scanModel, type ScanOptions } from './scan-model.js'
import {
  attribute,
  bytes,
  externalTensor,
  type Field,
  float32,
  func,
  functionBomb,
  graph,
  graphAttribute,
  int,
  INT64,
  int64Bytes,
  join,
  modelBytes,
  nestedIf,
  node,
  RELU,
  tag,
  tensor,
  tensorAttribute,
  valueInfo,
  varint,
} from './testing.js'

const relu = modelBytes({ nodes: [RELU], inputs: ['x'], outputs: ['y'] })

/** The error of a scan: its code, its message and how many bytes were fetched to find it. */
function refusal(
  model: Uint8Array,
  options?: ScanOptions,
): { code: string; message: string; fetched: number } {
  let fetched = 0
  const source: ByteSource = {
    size: model.length,
    read: (offset, length) => {
      fetched += Math.min(length, model.length - offset)
      return model.subarray(offset, offset + length)
    },
  }
  try {
    scanModel(source, options)
  } catch (error) {
    if (error instanceof CodedError) return { code: error.code, message: error.message, fetched }
    throw error
  }
  return { code: 'accepted', message: '', fetched }
}

function expectCode(model: Uint8Array, code: ScanErrorCode, options?: ScanOptions): string {
  const error = refusal(model, options)
  expect(error.code, error.message).toBe(code)
  return error.message
}

const withInitializer = (fields: readonly Field[]): Uint8Array =>
  modelBytes({ nodes: [RELU], initializers: [fields], inputs: ['x'], outputs: ['y'] })

describe('an ordinary model', () => {
  it('is counted', () => {
    const report = scanModel(
      modelBytes({
        nodes: [RELU, node({ op: 'Gelu', domain: 'com.microsoft', inputs: ['y'], outputs: ['z'] })],
        initializers: [tensor({ name: 'w', dims: [2], raw: new Uint8Array(8) })],
        inputs: ['x'],
        outputs: ['z'],
        opsets: { '': 17, 'com.microsoft': 1, 'org.unused': 3 },
      }),
    )
    expect(report).toMatchObject({
      irVersion: 8,
      nodes: 2,
      initializers: 1,
      functions: 0,
      deepestGraph: 1,
      expandedNodes: 2,
      ops: { Relu: 1, 'com.microsoft.Gelu': 1 },
      tensorBytes: 8,
      externalMembers: [],
    })
    expect(report.opsets).toContainEqual({ domain: 'org.unused', version: 3 })
  })

  it('is accepted with functions called often, as exporters write them', () => {
    const layers = Array.from({ length: 48 }, (_, index) =>
      node({ op: 'layer', domain: 'local', inputs: [`h${index}`], outputs: [`h${index + 1}`] }),
    )
    const report = scanModel(
      modelBytes({
        nodes: layers,
        inputs: ['h0'],
        outputs: ['h48'],
        opsets: { '': 17, local: 1 },
        functions: [func({ name: 'layer', nodes: [RELU] })],
      }),
    )
    expect(report).toMatchObject({ nodes: 49, expandedNodes: 48, functions: 1, ops: { Relu: 1 } })
  })

  it('reads the same through a source that hands out three bytes at a time', () => {
    const model = functionBomb(5)
    const source = {
      size: model.length,
      read: (offset: number, length: number) => model.slice(offset, offset + Math.min(3, length)),
    }
    const { work: inPieces, ...report } = scanModel(source)
    const { work, ...whole } = scanModel(model)
    expect(report).toEqual(whole)
    expect(inPieces.fields).toBe(work.fields)
  })

  it('steps over tensor bytes without fetching them', () => {
    const weight = tensor({ name: 'w', dims: [2 ** 22], raw: new Uint8Array(2 ** 24) })
    const { work, fileBytes } = scanModel(withInitializer(weight))
    expect(fileBytes).toBeGreaterThan(2 ** 24)
    expect(work.bytesFetched).toBeLessThan(4 * 64 * 1024)
  })
})

describe('bytes that are no model', () => {
  it.each([
    ['1000 bytes of 0xFF', new Uint8Array(1000).fill(0xff)],
    ['nothing', new Uint8Array(0)],
    ['a zip', new TextEncoder().encode('PK\u0003\u0004 and more')],
    ['a pickle', Uint8Array.of(0x80, 2, 0x7d, 0x71, 0)],
    ['JSON', new TextEncoder().encode('{"model": 1}')],
  ])('%s is not ONNX', (_name, model) => {
    const error = refusal(model)
    expect(error.code).toBe('not_onnx')
    expect(error.fetched).toBeLessThanOrEqual(2 * model.length)
  })

  it('says what was uploaded instead', () => {
    expect(expectCode(new TextEncoder().encode('PK\u0003\u0004..'), 'not_onnx')).toContain('zip')
  })

  it('tells a file that was cut from one that is no model', () => {
    for (const end of [relu.length - 1, relu.length - 5, 20]) {
      expectCode(relu.subarray(0, end), 'model_truncated')
    }
  })

  it('tells a model with a foreign tail', () => {
    for (const tail of [[0, 0, 0], new Array<number>(12).fill(0xff), [0xfa, 0x7f, 1, 2], [0x0b]]) {
      expectCode(join(relu, Uint8Array.from(tail)), 'trailing_garbage')
    }
  })

  it('tells a model without a graph or with an unknown IR version', () => {
    expectCode(join(int(1, 8), bytes(8, [int(2, 17)])), 'graph_missing')
    expectCode(modelBytes({ nodes: [RELU], irVersion: 99 }), 'ir_version_unsupported')
  })

  it('never fails in an uncoded way on damaged bytes, and does bounded work', () => {
    const whole = functionBomb(3)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (damage) => {
          const model = Uint8Array.from(whole)
          for (const [at, value] of damage) model[at] = value
          expect(refusal(model).fetched).toBeLessThanOrEqual(8 * model.length)
        },
      ),
      { numRuns: 500, seed: 7 },
    )
  })
})

describe('an encoding that two readers could understand differently', () => {
  const inGraph = (field: Field): Uint8Array => modelBytes({ nodes: [RELU], fields: [field] })

  it.each<[string, ScanErrorCode, Field]>([
    ['a group', 'wire_type_unsupported', tag(1, 3)],
    ['the end of a group', 'wire_type_unsupported', tag(1, 4)],
    ['wire type 6', 'wire_type_unsupported', tag(1, 6)],
    ['a field ONNX does not know', 'unknown_field', int(77, 1)],
    ['a name given as an integer', 'wire_type_mismatch', int(2, 5)],
    ['a second graph name', 'duplicate_field', bytes(2, 'again')],
    ['a padded integer', 'varint_invalid', join(tag(10, 2), Uint8Array.of(0x80, 0))],
    ['an integer of 11 bytes', 'varint_invalid', join(tag(10, 2), new Uint8Array(11).fill(0x81))],
    ['an integer beyond 64 bits', 'varint_invalid', new Uint8Array(10).fill(0xff)],
    ['a payload longer than its graph', 'protobuf_malformed', join(tag(10, 2), varint(2 ** 40))],
    ['field number 0', 'protobuf_malformed', Uint8Array.of(2, 0)],
    ['a name that is not UTF-8', 'invalid_text', bytes(1, [bytes(1, Uint8Array.of(0xc3, 0x28))])],
    ['a name with NUL', 'invalid_text', bytes(1, [bytes(1, 'a\u0000b')])],
  ])('%s is refused', (_name, code, field) => {
    expectCode(inGraph(field), code)
  })

  it('a second graph is refused, since protobuf would merge the two', () => {
    const second = bytes(7, graph({ nodes: [RELU] }))
    expectCode(join(relu, second), 'duplicate_field')
  })
})

describe('limits', () => {
  it.each<[string, ScanErrorCode, Uint8Array, ScanOptions['limits']]>([
    ['file bytes', 'model_file_too_large', relu, { maxFileBytes: relu.length - 1 }],
    ['fields', 'model_too_complex', relu, { maxFields: 10 }],
    ['nodes', 'too_many_nodes', modelBytes({ nodes: [RELU, RELU] }), { maxNodes: 1 }],
    ['functions', 'too_many_functions', functionBomb(3), { maxFunctions: 2 }],
    ['names', 'string_too_long', relu, { maxNameBytes: 3 }],
    [
      'rank',
      'tensor_rank_too_large',
      withInitializer(tensor({ dims: [1, 1, 1] })),
      { maxTensorRank: 2 },
    ],
    ['inputs of a node', 'too_many_values', relu, { maxValuesPerNode: 0 }],
    ['inputs of a graph', 'too_many_values', relu, { maxValuesPerGraph: 0 }],
    [
      'initializers',
      'too_many_initializers',
      withInitializer(tensor({ name: 'w', dims: [0] })),
      { maxInitializers: 0 },
    ],
    [
      'tensor bytes',
      'tensors_too_large',
      withInitializer(tensor({ dims: [1], raw: new Uint8Array(4) })),
      { maxTensorBytes: 3 },
    ],
  ])('%s are limited', (_name, code, model, limits = {}) => {
    expectCode(model, code, { limits })
  })

  it('documentation and attributes are limited', () => {
    const doc = modelBytes({ nodes: [RELU], fields: [bytes(10, 'x'.repeat(100))] })
    expectCode(doc, 'string_too_long', { limits: { maxTextBytes: 99 } })
    const floats = Array.from({ length: 50 }, () => float32(7, 1))
    const wide = node({ op: 'Relu', attributes: [attribute('a', 6, join(...floats))] })
    expectCode(modelBytes({ nodes: [wide] }), 'attribute_too_large', {
      limits: { maxAttributeBytes: 200 },
    })
  })

  it('a chain of 20,000 nodes is read in a few fields per node, and refused early under a limit', () => {
    const nodes = Array.from({ length: 20_000 }, (_, index) =>
      node({ op: 'Relu', inputs: [`v${index}`], outputs: [`v${index + 1}`] }),
    )
    const chain = modelBytes({ nodes, inputs: ['v0'], outputs: ['v20000'] })
    const { nodes: count, work } = scanModel(chain)
    expect(count).toBe(20_000)
    expect(work.fields).toBeLessThan(5 * 20_000)
    const early = refusal(chain, { limits: { maxNodes: 1_000 } })
    expect(early.code).toBe('too_many_nodes')
    expect(early.fetched).toBeLessThan(chain.length / 2)
  })
})

describe('nesting', () => {
  it('graphs are accepted 32 deep and refused beyond', () => {
    expect(scanModel(nestedIf(32)).deepestGraph).toBe(32)
    expectCode(nestedIf(33), 'model_too_deep')
  })

  it('If nested 90 deep is refused at the 33rd graph', () => {
    const message = expectCode(nestedIf(90), 'model_too_deep')
    expect(message).toMatch(/^graph\.node\[0\] 'choose' → attribute 'then_branch' → graph\.node/)
  })

  it('types nested 90 deep are refused', () => {
    let type: Field[] = [bytes(1, [int(1, 1)])]
    for (let depth = 0; depth < 90; depth++) type = [bytes(4, [bytes(1, type)])]
    const value = bytes(11, [bytes(1, 'deep'), bytes(2, type)])
    const message = expectCode(modelBytes({ nodes: [RELU], fields: [value] }), 'model_too_deep')
    expect(message).toContain("graph.input[0] 'deep'")
  })

  it('control flow can be switched off', () => {
    expectCode(nestedIf(2), 'control_flow_not_allowed', { policy: { controlFlow: 'deny' } })
    const shadowed = modelBytes({ nodes: [node({ op: 'Loop', domain: 'ai.onnx' })] })
    expectCode(shadowed, 'control_flow_not_allowed', { policy: { controlFlow: 'deny' } })
  })
})

describe('functions', () => {
  it.each([14, 16, 20, 63])('a bomb of %i levels is refused in a few steps', (levels) => {
    const model = functionBomb(levels)
    const message = expectCode(model, 'function_bomb')
    expect(message).toMatch(/written nodes expand to \d+$/)
    expect(refusal(model).fetched).toBeLessThan(20 * model.length)
  })

  it('is counted exactly below the limits', () => {
    expect(scanModel(functionBomb(10)).expandedNodes).toBe(2 ** 10)
  })

  it('is refused when functions call themselves, directly or around a corner', () => {
    const call = (op: string): Field[] =>
      node({ op, domain: 'local', inputs: ['x'], outputs: ['y'] })
    const opsets = { '': 17, local: 1 }
    const self = [func({ name: 'f', nodes: [call('f')] })]
    expectCode(modelBytes({ nodes: [call('f')], opsets, functions: self }), 'function_recursion')
    const pair = [func({ name: 'f', nodes: [call('g')] }), func({ name: 'g', nodes: [call('f')] })]
    // Not called from the main graph: still refused, since a reader may look at every function.
    expectCode(modelBytes({ nodes: [RELU], opsets, functions: pair }), 'function_recursion')
  })

  it('is refused when the chain of calls is too long', () => {
    expect(scanModel(functionBomb(64, 1)).functions).toBe(64)
    expectCode(functionBomb(66, 1), 'function_too_deep')
    expectCode(functionBomb(4_000, 1), 'function_too_deep')
  })

  it('is refused when graphs get too deep through calls in branches', () => {
    const branch = (op: string): Field[] =>
      node({
        op: 'If',
        inputs: ['x'],
        outputs: ['y'],
        attributes: [
          graphAttribute('then_branch', graph({ nodes: [node({ op, domain: 'local' })] })),
        ],
      })
    const functions = Array.from({ length: 40 }, (_, level) =>
      func({ name: `f${level}`, nodes: level === 0 ? [RELU] : [branch(`f${level - 1}`)] }),
    )
    const model = modelBytes({ nodes: [branch('f39')], opsets: { '': 17, local: 1 }, functions })
    expectCode(model, 'model_too_deep')
  })

  it('cannot take the place of an operator', () => {
    const functions = [func({ name: 'Relu', domain: 'ai.onnx', nodes: [RELU] })]
    expectCode(modelBytes({ nodes: [RELU], functions }), 'function_domain_reserved')
  })
})

describe('operators', () => {
  const using = (op: string, domain: string, opsets?: Record<string, number>): Uint8Array =>
    modelBytes({
      nodes: [RELU, node({ op, domain, name: 'suspect' })],
      opsets: opsets ?? { '': 17, [domain]: 1 },
    })

  it.each<[string, ScanErrorCode, Uint8Array]>([
    ['a name ONNX does not know', 'unknown_op', using('Realu', '', { '': 17 })],
    ['a com.microsoft name nobody knows', 'unknown_op', using('Nonsense', 'com.microsoft')],
    ['a generation loop', 'op_not_allowed', using('BeamSearch', 'com.microsoft')],
    ['an image decoder', 'op_not_allowed', using('ImageDecoder', '', { '': 20 })],
    ['a custom operator', 'custom_op', using('Launch', 'my.company')],
    ['a domain that is not imported', 'custom_op', using('Launch', 'my.company', { '': 17 })],
    ['classical ML', 'domain_not_allowed', using('SVMClassifier', 'ai.onnx.ml')],
    ['a machine-bound layout', 'domain_not_allowed', using('Conv', 'com.microsoft.nchwc')],
    ['a precompiled blob', 'ep_context', using('EPContext', 'com.microsoft')],
  ])('%s is refused by node and name', (_name, code, model) => {
    expect(expectCode(model, code)).toContain("graph.node[1] 'suspect'")
  })

  it('follow the policy of the service', () => {
    const trees = using('TreeEnsembleClassifier', 'ai.onnx.ml')
    expect(refusal(trees, { policy: { classicalMl: 'allow' } }).code).toBe('accepted')
    const gelu = using('Gelu', 'com.microsoft')
    expectCode(gelu, 'domain_not_allowed', { policy: { contribOps: 'deny' } })
  })

  it('need an import of their domain in a version onnxruntime knows', () => {
    expectCode(modelBytes({ nodes: [RELU], opsets: {} }), 'opset_missing')
    expectCode(modelBytes({ nodes: [RELU], opsets: { '': 6 } }), 'opset_unsupported')
    expectCode(modelBytes({ nodes: [RELU], opsets: { '': 99 } }), 'opset_unsupported')
    expectCode(modelBytes({ nodes: [RELU], opsets: { '': 17, 'ai.onnx': 18 } }), 'duplicate_name')
  })
})

describe('names', () => {
  it.each<[string, Uint8Array]>([
    ['two outputs', modelBytes({ nodes: [RELU, RELU] })],
    ['an output and an input', modelBytes({ nodes: [RELU], inputs: ['y'] })],
    ['two inputs', modelBytes({ nodes: [RELU], inputs: ['x', 'x'] })],
    [
      'two attributes',
      modelBytes({
        nodes: [
          node({
            op: 'Relu',
            attributes: [attribute('a', 2, int(3, 1)), attribute('a', 2, int(3, 1))],
          }),
        ],
      }),
    ],
    [
      'two functions',
      modelBytes({
        nodes: [RELU],
        functions: [func({ name: 'f', nodes: [] }), func({ name: 'f', nodes: [] })],
      }),
    ],
  ])('of %s may not be the same', (_name, model) => {
    expectCode(model, 'duplicate_name')
  })

  it('appear in messages cut short and without control characters', () => {
    const name = `evil\u202e${'x'.repeat(200)}`
    const message = expectCode(modelBytes({ nodes: [node({ op: 'Nope', name })] }), 'unknown_op')
    expect(message).toContain("graph.node[0] 'evil?xxx")
    expect(message.length).toBeLessThan(200)
  })
})

describe('tensors', () => {
  it.each<[string, ScanErrorCode, Field[]]>([
    ['too few raw bytes', 'tensor_size_mismatch', tensor({ dims: [3], raw: new Uint8Array(11) })],
    ['too many raw bytes', 'tensor_size_mismatch', tensor({ dims: [3], raw: new Uint8Array(13) })],
    ['no data', 'tensor_size_mismatch', tensor({ dims: [3] })],
    [
      'too few floats',
      'tensor_size_mismatch',
      tensor({ dims: [3], fields: [float32(4, 1), float32(4, 1)] }),
    ],
    [
      'too many packed integers',
      'tensor_size_mismatch',
      tensor({ dims: [1], dataType: INT64, fields: [bytes(7, join(varint(300), varint(1)))] }),
    ],
    [
      'half a float',
      'protobuf_malformed',
      tensor({ dims: [1], fields: [bytes(4, new Uint8Array(6))] }),
    ],
    [
      'a string too many',
      'tensor_size_mismatch',
      tensor({ dims: [1], dataType: 8, fields: [bytes(6, 'a'), bytes(6, 'b')] }),
    ],
    [
      'int4 in too many bytes',
      'tensor_size_mismatch',
      tensor({ dims: [3], dataType: 22, raw: new Uint8Array(3) }),
    ],
    [
      'data twice',
      'tensor_data_ambiguous',
      tensor({ dims: [1], raw: new Uint8Array(4), fields: [float32(4, 1)] }),
    ],
    ['integers for floats', 'tensor_data_ambiguous', tensor({ dims: [1], fields: [int(5, 1)] })],
    [
      'raw strings',
      'tensor_data_ambiguous',
      tensor({ dims: [1], dataType: 8, raw: new Uint8Array(1) }),
    ],
    ['a segment', 'tensor_data_ambiguous', tensor({ fields: [bytes(3, [])] })],
    ['a negative dimension', 'tensor_dims_invalid', tensor({ dims: [-1], raw: new Uint8Array(0) })],
    ['dimensions that overflow', 'tensor_dims_invalid', tensor({ dims: [2 ** 32, 2 ** 32] })],
    [
      'an overflow hidden by a zero',
      'tensor_dims_invalid',
      tensor({ dims: [2 ** 32, 2 ** 32, 0] }),
    ],
    ['an unknown type', 'tensor_data_type_unknown', tensor({ dims: [0], dataType: 99 })],
  ])('%s is refused', (_name, code, fields) => {
    const message = expectCode(withInitializer([...fields, bytes(8, 'w')]), code)
    expect(message).toContain("graph.initializer[0] 'w'")
  })

  it.each<[string, Field[]]>([
    ['floats', tensor({ dims: [2], fields: [bytes(4, new Uint8Array(8))] })],
    ['complex floats', tensor({ dims: [1], dataType: 14, fields: [bytes(4, new Uint8Array(8))] })],
    [
      'int4, two in an entry',
      tensor({ dims: [3], dataType: 22, fields: [bytes(5, [varint(1), varint(2)])] }),
    ],
    ['int2, four in a byte', tensor({ dims: [5], dataType: 26, raw: new Uint8Array(2) })],
    ['strings', tensor({ dims: [2], dataType: 8, fields: [bytes(6, 'a'), bytes(6, 'b')] })],
    ['negative int32', tensor({ dims: [1], dataType: 6, fields: [bytes(5, varint(-1))] })],
    ['nothing', tensor({ dims: [0] })],
  ])('%s are accepted', (_name, fields) => {
    expect(refusal(withInitializer(fields)).message).toBe('')
  })

  it('are checked inside attributes too', () => {
    const value = tensorAttribute('value', tensor({ dims: [3], raw: new Uint8Array(4) }))
    const constant = node({ op: 'Constant', name: 'c', outputs: ['o'], attributes: [value] })
    const message = expectCode(modelBytes({ nodes: [constant] }), 'tensor_size_mismatch')
    expect(message).toContain("graph.node[0] 'c' → attribute 'value'")
  })
})

describe('claims of memory', () => {
  const shape = (...values: (number | bigint)[]): Field[] =>
    tensor({ name: 's', dims: [values.length], dataType: INT64, raw: int64Bytes(...values) })
  const claim = (op: string, inputs: string[], initializers: Field[][]): Uint8Array =>
    modelBytes({ nodes: [node({ op, name: 'big', inputs, outputs: ['o'] })], initializers })
  const one = tensor({ name: 'd', dims: [1], raw: new Uint8Array(4) })

  it.each<[string, Uint8Array]>([
    ['ConstantOfShape of 2^34 floats', claim('ConstantOfShape', ['s'], [shape(2 ** 34)])],
    [
      'ConstantOfShape whose product overflows',
      claim('ConstantOfShape', ['s'], [shape(2n ** 62n, 2n ** 62n)]),
    ],
    ['Expand to 2^33 floats', claim('Expand', ['d', 's'], [one, shape(2 ** 33)])],
    ['Tile', claim('Tile', ['d', 's'], [one, shape(2 ** 40)])],
    ['Pad', claim('Pad', ['d', 's'], [one, shape(2 ** 35, 0)])],
    ['Resize', claim('Resize', ['d', '', '', 's'], [one, shape(1, 2 ** 20, 2 ** 20)])],
  ])('%s is refused', (_name, model) => {
    expect(model.length).toBeLessThan(200)
    expect(expectCode(model, 'tensor_claim_too_large')).toContain("graph.node[0] 'big'")
  })

  it('by a constant node, from within a branch, is refused', () => {
    const value = tensorAttribute('value', shape(2 ** 34))
    const constant = node({ op: 'Constant', outputs: ['s'], attributes: [value] })
    const fill = node({ op: 'ConstantOfShape', inputs: ['s'], outputs: ['o'] })
    const branch = node({
      op: 'If',
      inputs: ['c'],
      attributes: [graphAttribute('then_branch', graph({ nodes: [fill] }))],
    })
    expectCode(modelBytes({ nodes: [constant, branch] }), 'tensor_claim_too_large')
  })

  it('by a shape attribute or an input type is refused', () => {
    const random = node({
      op: 'RandomNormal',
      outputs: ['o'],
      attributes: [attribute('shape', 7, bytes(8, [varint(2 ** 20), varint(2 ** 20)]))],
    })
    expectCode(modelBytes({ nodes: [random] }), 'tensor_claim_too_large')
    const input = bytes(11, valueInfo('x', [2 ** 20, 2 ** 20]))
    expectCode(modelBytes({ nodes: [RELU], fields: [input] }), 'tensor_claim_too_large')
  })

  it('by a sparse tensor is refused for its dense size', () => {
    const values = bytes(1, tensor({ name: 'sp', dims: [1], raw: new Uint8Array(4) }))
    const indices = bytes(2, tensor({ dims: [1], dataType: INT64, raw: int64Bytes(5) }))
    const sparse = (...dims: number[]): Uint8Array =>
      modelBytes({
        nodes: [RELU],
        fields: [bytes(15, [values, indices, ...dims.map((dim) => int(3, dim))])],
      })
    expect(refusal(sparse(16)).message).toBe('')
    expectCode(sparse(2 ** 34), 'tensor_claim_too_large')
  })

  it('of ordinary size is accepted', () => {
    expect(refusal(claim('ConstantOfShape', ['s'], [shape(1, 3, 224, 224)])).message).toBe('')
  })
})

describe('external data', () => {
  const members = new Map([['weights.bin', 16]])
  const external = (entries: Record<string, string>, dims = [4]): Uint8Array =>
    withInitializer(externalTensor('w', dims, entries))
  const at = (location: string): Uint8Array => external({ location })

  it('inside an uploaded file is accepted and reported', () => {
    const model = external({ location: 'weights.bin', offset: '8', length: '8' }, [2])
    expect(scanModel(model, { members }).externalMembers).toEqual(['weights.bin'])
    expect(refusal(external({ location: 'weights.bin' }), { members }).message).toBe('')
  })

  it.each<[string, ScanErrorCode, Uint8Array]>([
    ['the folder above', 'external_data_location', at('../weights.bin')],
    ['a way down and up again', 'external_data_location', at('sub/../../weights.bin')],
    ['an absolute path', 'external_data_location', at('/etc/passwd')],
    ['a Windows path', 'external_data_location', at('C:\\weights.bin')],
    ['the folder itself', 'external_data_location', at('..')],
    ['nothing', 'external_data_location', external({ offset: '0' })],
    ['an address in memory', 'external_data_in_memory', at('*/_ORT_MEM_ADDR_/*')],
    ['a file that was not uploaded', 'external_data_missing', at('other.bin')],
    [
      'bytes behind the end',
      'external_data_range',
      external({ location: 'weights.bin', offset: '1' }),
    ],
    [
      'a petabyte',
      'tensor_size_mismatch',
      external({ location: 'weights.bin', length: '1125899906842624' }),
    ],
    [
      'a negative offset',
      'external_data_range',
      external({ location: 'weights.bin', offset: '-4' }),
    ],
    [
      'an offset in hexadecimal',
      'external_data_range',
      external({ location: 'weights.bin', offset: '0x10' }),
    ],
    ['a foreign key', 'external_data_key', external({ location: 'weights.bin', __class__: 'x' })],
    [
      'the internal base path',
      'external_data_key',
      external({ location: 'weights.bin', basepath: '/' }),
    ],
  ])('naming %s is refused', (_name, code, model) => {
    expect(expectCode(model, code, { members })).toContain("graph.initializer[0] 'w'")
  })

  it('is refused next to data in the model, and without being declared', () => {
    const entries = bytes(13, [bytes(1, 'location'), bytes(2, 'weights.bin')])
    const both = tensor({
      name: 'w',
      dims: [1],
      raw: new Uint8Array(4),
      fields: [entries, int(14, 1)],
    })
    expectCode(withInitializer(both), 'tensor_data_ambiguous', { members })
    const silent = tensor({ name: 'w', dims: [4], fields: [entries] })
    expectCode(withInitializer(silent), 'tensor_data_ambiguous', { members })
  })

  it('cannot multiply one file into many tensors', () => {
    const copies = Array.from({ length: 20 }, (_, index) =>
      externalTensor(`w${index}`, [4], { location: 'weights.bin' }),
    )
    const model = modelBytes({ nodes: [RELU], initializers: copies })
    expectCode(model, 'tensors_too_large', { members, limits: { maxTensorBytes: 300 } })
    // Twice the bytes of the upload are enough for weights that are shared, and for no more.
    const limits = { maxSharedBytes: 0 }
    const large = new Map([['weights.bin', 2 ** 20]])
    const wide = (times: number) =>
      modelBytes({
        nodes: [RELU],
        initializers: Array.from({ length: times }, (_, index) =>
          externalTensor(`w${index}`, [2 ** 18], { location: 'weights.bin' }),
        ),
      })
    expect(() => scanModel(wide(2), { members: large, limits })).not.toThrow()
    expectCode(wide(3), 'tensors_too_large', { members: large, limits })
  })
})
