import { CodedError } from '@pare/errors'
import { attr } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { type DataType, dataTypeNumber, tensorFromInts, toNumbers } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { encodeModel } from '../encode/encode-model.js'
import { encodeChunks, piecesOf, type WireWriter } from '../wire/writer.js'
import { decodeModel } from './decode-model.js'

type Write = (w: WireWriter) => void

const message = (write: Write) => new Uint8Array(Buffer.concat([...piecesOf(encodeChunks(write))]))

/** A model whose only initializer is written by the test. */
const withTensor = (write: Write) => message((w) => w.message(7, (g) => g.message(5, write)))

/** A model whose only node is written by the test. */
const withNode = (write: Write) => message((w) => w.message(7, (g) => g.message(1, write)))

const withAttribute = (write: Write) => withNode((w) => w.message(5, write))

const coded = (code: string, place = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(place) as string }) as Error

const initializer = (file: Uint8Array, name = '') => decodeModel(file).graph.initializers.get(name)!

const sample = () =>
  encodeModel(
    model()
      .input('x', 'float32', ['batch', 3])
      .floats('w', [3], [1, 2, 3])
      .initializer('i', tensorFromInts('int64', [2], [1, -1]))
      .node('Add', ['x', 'w'], ['a'])
      .named('add')
      .node('Flatten', ['a'], ['y'], { axis: 1, scale: attr.float(0.5), names: ['a', 'b'] })
      .output('y', 'float32', ['batch', 3])
      .build(),
  )

/** A packed list of varints, as one payload. */
const varints = (...values: (number | bigint)[]) => {
  const bytes: number[] = []
  for (const value of values) {
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    bytes.push(Number(rest))
  }
  return Uint8Array.from(bytes)
}

describe('typed fields', () => {
  it.each<[DataType, number, (number | bigint)[], (number | bigint)[]]>([
    ['int32', 5, [1, -2, 2 ** 31 - 1], [1, -2, 2 ** 31 - 1]],
    ['int8', 5, [-128, 127], [-128, 127]],
    ['uint8', 5, [0, 255], [0, 255]],
    ['int16', 5, [-32768, 32767], [-32768, 32767]],
    ['uint16', 5, [0, 65535], [0, 65535]],
    ['bool', 5, [1, 0], [1, 0]],
    ['float16', 5, [0x3c00, 0xc000], [1, -2]],
    ['bfloat16', 5, [0x3f80, 0xc000], [1, -2]],
    ['float8e4m3fn', 5, [0x38], [1]],
    ['float8e8m0', 5, [127, 128], [1, 2]],
    ['int64', 7, [1n, -(2n ** 63n)], [1n, -(2n ** 63n)]],
    ['uint32', 11, [1, 2 ** 32 - 1], [1, 2 ** 32 - 1]],
    ['uint64', 11, [1n, 2n ** 64n - 1n], [1n, 2n ** 64n - 1n]],
  ])('%s of field %i', (dataType, field, stored, numbers) => {
    const count = (w: WireWriter) => {
      w.integer(1, numbers.length)
      w.integer(2, dataTypeNumber(dataType))
    }
    const packed = withTensor((w) => {
      count(w)
      w.payload(field, varints(...stored))
    })
    expect([...toNumbers(initializer(packed))]).toEqual(numbers)
    const single = withTensor((w) => {
      for (const value of stored) w.integer(field, value)
      count(w)
    })
    expect([...toNumbers(initializer(single))]).toEqual(numbers)
  })

  it.each<[DataType, number[], number[]]>([
    // Two four-bit elements to an entry, four two-bit elements, and one six-bit element.
    ['int4', [0x2f, 0x08], [-1, 2, -8]],
    ['uint4', [0x21, 0x03], [1, 2, 3]],
    ['uint2', [0b100100], [0, 1, 2]],
    ['float4e2m1', [0x21, 0x07], [0.5, 1, 6]],
    ['float6e2m3', [0x08, 0x1f, 0x28], [1, 7.5, -1]],
  ])('%s packed into int32_data', (dataType, stored, numbers) => {
    const file = withTensor((w) => {
      w.integer(1, numbers.length)
      w.integer(2, dataTypeNumber(dataType))
      w.payload(5, varints(...stored))
    })
    expect([...toNumbers(initializer(file))]).toEqual(numbers)
  })

  it('of floats are views of the file when packed, joined when in pieces', () => {
    const floats = new Uint8Array(Float32Array.of(1, 2).buffer)
    const head = (w: WireWriter, n: number) => {
      w.integer(1, n)
      w.integer(2, 1)
    }
    const file = withTensor((w) => {
      head(w, 2)
      w.payload(4, floats)
    })
    const { data } = initializer(file)
    expect(data.kind === 'bytes' && data.bytes.buffer).toBe(file.buffer)
    const pieces = withTensor((w) => {
      head(w, 5)
      w.payload(4, floats)
      w.float(4, 3)
      w.payload(4, floats)
    })
    expect([...toNumbers(initializer(pieces))]).toEqual([1, 2, 3, 1, 2])
  })

  it('that hold too large an integer are refused', () => {
    const write = (dataType: DataType, field: number, value: number | bigint) =>
      withTensor((w) => {
        w.integer(2, dataTypeNumber(dataType))
        w.payload(field, varints(value))
      })
    expect(() => decodeModel(write('uint8', 5, 256))).toThrow(coded('tensor_value_invalid'))
    expect(() => decodeModel(write('int16', 5, -32769))).toThrow(coded('tensor_value_invalid'))
    expect(() => decodeModel(write('uint32', 11, 2n ** 32n))).toThrow(coded('tensor_value_invalid'))
  })
})

describe('tensors', () => {
  const tensor = (write: Write) =>
    withTensor((w) => {
      w.text(8, 'w')
      w.integer(1, 2)
      w.integer(2, 1)
      write(w)
    })

  it.each<[string, Write, string]>([
    ['too few bytes', (w) => w.payload(9, new Uint8Array(7)), 'tensor_size_mismatch'],
    ['no data', () => undefined, 'tensor_size_mismatch'],
    [
      'raw and typed data',
      (w) => {
        w.payload(9, new Uint8Array(8))
        w.payload(4, new Uint8Array(8))
      },
      'tensor_data_ambiguous',
    ],
    ['the wrong typed field', (w) => w.payload(7, varints(1, 2)), 'tensor_data_ambiguous'],
    ['a segment', (w) => w.message(3, () => undefined), 'tensor_segment_unsupported'],
    ['an unknown data type', (w) => w.integer(2, 99), 'tensor_data_type_unknown'],
    ['a negative dimension', (w) => w.integer(1, -1), 'tensor_dims_invalid'],
    ['a dimension above 2^53', (w) => w.integer(1, 2n ** 60n), 'integer_too_large'],
    ['a claim above 2^53 elements', (w) => w.integer(1, 2 ** 52), 'tensor_shape_invalid'],
    ['half a float', (w) => w.payload(4, new Uint8Array(6)), 'protobuf_malformed'],
    ['half a varint', (w) => w.payload(7, Uint8Array.of(0x80)), 'tensor_data_ambiguous'],
    ['external data nowhere', (w) => w.integer(14, 1), 'external_data_location'],
  ])('with %s are refused', (_, write, code) => {
    expect(() => decodeModel(tensor(write))).toThrow(coded(code))
  })

  it('in other files keep their place, with the length that the shape needs by default', () => {
    const file = tensor((w) => {
      w.message(13, (e) => {
        e.text(1, 'location')
        e.text(2, 'w.bin')
      })
      w.message(13, (e) => {
        e.text(1, 'offset')
        e.text(2, '4096')
      })
      w.integer(14, 1)
    })
    expect(initializer(file, 'w').data).toEqual({
      kind: 'external',
      location: 'w.bin',
      offset: 4096,
      length: 8,
    })
  })
})

describe('attributes', () => {
  it('without a type, as in files of IR version 1, have the type of their value', () => {
    const file = withAttribute((w) => {
      w.text(1, 'axis')
      w.integer(3, 2)
    })
    const [node] = decodeModel(file).graph.nodes
    expect(node!.attributes.get('axis')).toEqual({ type: 'int', value: 2n })
  })

  it('of a type whose default value is left out, as proto3 writers do, have that value', () => {
    const file = withAttribute((w) => w.integer(20, 2))
    expect(decodeModel(file).graph.nodes[0]!.attributes.get('')).toEqual({ type: 'int', value: 0n })
  })

  it.each<[string, Write]>([
    ['neither type nor value', () => undefined],
    [
      'a value of another type',
      (w) => {
        w.integer(20, 1)
        w.integer(3, 1)
      },
    ],
    ['an unknown type', (w) => w.integer(20, 77)],
    ['no tensor', (w) => w.integer(20, 4)],
    [
      'a reference and a value',
      (w) => {
        w.text(21, 'outer')
        w.integer(3, 1)
      },
    ],
  ])('with %s are refused', (_, write) => {
    expect(() => decodeModel(withAttribute(write))).toThrow(
      coded('attribute_invalid', 'graph.node[0]'),
    )
  })

  it('are refused twice under one name', () => {
    const twice = withNode((w) => {
      w.message(5, (a) => a.integer(3, 1))
      w.message(5, (a) => a.integer(3, 1))
    })
    expect(() => decodeModel(twice)).toThrow(coded('duplicate_name', 'graph.node[0]'))
  })
})

describe('a file that is no model', () => {
  it.each([
    ['is empty', '', 'not_onnx'],
    ['is a text', 'Hello, this is not a model', 'not_onnx'],
    ['is an archive', 'PK\u0003\u0004\u0014\u0000\u0000\u0000', 'not_onnx'],
    ['is a PNG', '\u0089PNG\r\n\u001a\n', 'not_onnx'],
  ])('because it %s', (_, content, code) => {
    expect(() => decodeModel(Buffer.from(content, 'latin1'))).toThrow(coded(code))
  })

  it('because it lacks a graph', () => {
    expect(() => decodeModel(message((w) => w.integer(1, 8)))).toThrow(coded('graph_missing'))
  })

  it('because it nests too deep', () => {
    const nest = (depth: number): Write =>
      depth === 0 ? () => undefined : (w) => w.message(4, (s) => s.message(1, nest(depth - 1)))
    const file = message((w) => w.message(7, (g) => g.message(11, (v) => v.message(2, nest(300)))))
    expect(() => decodeModel(file)).toThrow(coded('model_too_deep'))
  })

  it('fails with a coded error that names the place, wherever it is cut', () => {
    const file = sample()
    const codes = new Set<string>()
    for (let length = 0; length < file.length; length++) {
      try {
        decodeModel(file.subarray(0, length))
      } catch (error) {
        expect(error).toBeInstanceOf(CodedError)
        codes.add((error as CodedError).code)
      }
    }
    expect([...codes].sort()).toEqual(['graph_missing', 'model_truncated', 'not_onnx'])
  })

  it('fails with a coded error or not at all, whatever its bytes are', () => {
    const file = sample()
    const change = fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(change, (edits) => {
        const broken = file.slice()
        for (const [at, byte] of edits) broken[at] = byte
        try {
          encodeModel(decodeModel(broken))
        } catch (error) {
          if (!(error instanceof CodedError)) throw error
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a field that onnx.proto does not have', () => {
  const file = withNode((w) => {
    w.text(4, 'Relu')
    w.text(99, 'from the future')
  })

  it('is refused, since it may change what the model means', () => {
    expect(() => decodeModel(file)).toThrow(coded('unknown_field', 'graph.node[0]'))
  })

  it('is dropped on request', () => {
    expect(decodeModel(file, { unknownFields: 'drop' }).graph.nodes[0]!.opType).toBe('Relu')
  })
})

describe('an initializer that a graph has twice', () => {
  const twice = message((w) =>
    w.message(7, (g) => {
      for (const value of [1, 2]) {
        g.message(5, (t) => {
          t.text(8, 'w')
          t.integer(2, 7)
          t.integer(7, value)
        })
      }
    }),
  )

  it('is refused', () => {
    expect(() => decodeModel(twice)).toThrow(coded('duplicate_name', 'graph'))
  })

  it('counts once on request', () => {
    const { graph } = decodeModel(twice, { repeatedInitializers: 'keep_first' })
    expect([...graph.initializers.keys()]).toEqual(['w'])
    expect([...toNumbers(graph.initializers.get('w')!)]).toEqual([1n])
  })
})

it('a field of the wrong wire type is refused', () => {
  const file = withNode((w) => w.integer(4, 1))
  expect(() => decodeModel(file)).toThrow(coded('wire_type_mismatch', 'graph.node[0]'))
})

it('text that is not UTF-8 is refused', () => {
  const file = withNode((w) => w.payload(4, Uint8Array.of(0xff, 0xfe)))
  expect(() => decodeModel(file)).toThrow(coded('invalid_text', 'graph.node[0]'))
})

it('ai.onnx and the empty domain are the same', () => {
  const file = withNode((w) => w.text(7, 'ai.onnx'))
  expect(decodeModel(file).graph.nodes[0]!.domain).toBe('')
})
