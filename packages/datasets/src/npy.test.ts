import { describe, expect, it } from 'vitest'

import { DEFAULT_LIMITS } from './limits.js'
import { formatNpyHeader, type NpyDataType, parseNpyHeader } from './npy.js'

function header(fields: string, version = 1): Uint8Array {
  const text = new TextEncoder().encode(`${fields}\n`)
  const length = new Uint8Array(version === 1 ? 2 : 4)
  const view = new DataView(length.buffer)
  if (version === 1) view.setUint16(0, text.byteLength, true)
  else view.setUint32(0, text.byteLength, true)
  const start = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]
  return Uint8Array.from([...start, ...length, ...text])
}

function fields(descr: string, shape = '(2, 3)', order = 'False'): string {
  return `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`
}

describe('parseNpyHeader', () => {
  it.each([1, 2, 3])('reads version %i', (version) => {
    const bytes = header(fields("'<f4'"), version)
    expect(parseNpyHeader('x', bytes)).toMatchObject({
      dataType: 'float32',
      dims: [2, 3],
      dataOffset: bytes.byteLength,
      dataBytes: 24,
      bigEndian: false,
    })
  })

  it.each([
    ["'|b1'", 'bool'],
    ["'<f2'", 'float16'],
    ["'<f8'", 'float64'],
    ["'|i1'", 'int8'],
    ["'<i2'", 'int16'],
    ["'<i4'", 'int32'],
    ["'<i8'", 'int64'],
    ["'|u1'", 'uint8'],
    ["'<u2'", 'uint16'],
    ["'<u4'", 'uint32'],
    ["'<u8'", 'uint64'],
  ])('reads dtype %s as %s', (descr, dataType) => {
    expect(parseNpyHeader('x', header(fields(descr))).dataType).toBe(dataType)
  })

  it('reads back every header it writes, with elements at a multiple of 64', () => {
    const types: NpyDataType[] = ['bool', 'float16', 'float32', 'int8', 'int64', 'uint8']
    for (const dataType of types) {
      for (const dims of [[1], [3, 4], [2, 1, 28, 28], []]) {
        const bytes = formatNpyHeader(dataType, dims)
        expect(bytes.byteLength % 64).toBe(0)
        expect(parseNpyHeader('x', bytes)).toMatchObject({ dataType, dims })
      }
    }
  })

  it('knows big-endian elements', () => {
    expect(parseNpyHeader('x', header(fields("'>i4'"))).bigEndian).toBe(true)
  })

  it('takes Fortran order where it is no different, and refuses it elsewhere', () => {
    expect(parseNpyHeader('x', header(fields("'<f4'", '(1, 9, 1)', 'True'))).dims).toEqual([
      1, 9, 1,
    ])
    expect(() => parseNpyHeader('x', header(fields("'<f4'", '(2, 9)', 'True')))).toThrow(
      expect.objectContaining({ code: 'dataset_order_unsupported' }),
    )
  })

  it.each([
    ['Python objects', "'|O'"],
    ['unicode text', "'<U5'"],
    ['byte strings', "'|S5'"],
    ['complex numbers', "'<c8'"],
    ['dates', "'<M8[ns]'"],
    ['raw bytes', "'|V2'"],
    ['a structure', "[('a', '<f4')]"],
    ['an object property', "'<constructor'"],
  ])('refuses %s', (_, descr) => {
    expect(() => parseNpyHeader('x', header(fields(descr)))).toThrow(
      expect.objectContaining({ code: 'dataset_dtype_unsupported' }),
    )
  })

  it.each([
    ['no dictionary', '(1, 2)'],
    ['a missing field', "{'descr': '<f4', 'shape': (2,), }"],
    ['an extra field', `{'extra': 1, ${fields("'<f4'").slice(1)}`],
    ['a shape that is no tuple', fields("'<f4'", '5')],
    ['a shape of text', fields("'<f4'", "('5',)")],
    ['code', "__import__('os')"],
  ])('refuses %s', (_, text) => {
    expect(() => parseNpyHeader('x', header(text))).toThrow(
      expect.objectContaining({ code: 'dataset_array_invalid' }),
    )
  })

  it('refuses an unknown version and a header that claims megabytes', () => {
    const unknown = header(fields("'<f4'"))
    unknown[6] = 9
    const huge = header(fields("'<f4'"), 2)
    new DataView(huge.buffer).setUint32(8, 1 << 30, true)
    for (const bytes of [unknown, huge]) {
      expect(() => parseNpyHeader('x', bytes)).toThrow(
        expect.objectContaining({ code: 'dataset_array_invalid' }),
      )
    }
  })

  it('refuses shapes beyond the limits, products beyond 2^64 included', () => {
    const shapes = ['(4294967296, 4294967296, 4294967296)', '(9007199254740991,)', '(2000000000,)']
    for (const shape of [...shapes, `(${'1,'.repeat(DEFAULT_LIMITS.maxRank + 1)})`]) {
      expect(() => parseNpyHeader('x', header(fields("'<f4'", shape)))).toThrow(
        expect.objectContaining({ code: 'dataset_limit_exceeded' }),
      )
    }
  })
})
