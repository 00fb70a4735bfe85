import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { pack, PACKED_FORMATS, type PackedType, unpack } from './packing.js'

const TYPES = Object.keys(PACKED_FORMATS) as PackedType[]

describe.each(TYPES)('packing %s', (type) => {
  const { bits, signed } = PACKED_FORMATS[type]
  const value = signed
    ? fc.integer({ min: -(1 << (bits - 1)), max: (1 << (bits - 1)) - 1 })
    : fc.integer({ min: 0, max: (1 << bits) - 1 })

  it('gives back what was packed', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), (values) => {
        const packed = pack(type, values)
        expect(packed.length).toBe(Math.ceil((values.length * bits) / 8))
        expect([...unpack(type, packed, values.length)]).toEqual(values)
      }),
    )
  })

  it('refuses bytes of another length', () => {
    expect(() => unpack(type, new Uint8Array(5), 4)).toThrow(
      expect.objectContaining({ code: 'tensor_data_mismatch' }),
    )
  })
})

describe('the order of packed elements', () => {
  it('starts at the low nibble', () => {
    expect([...pack('uint4', [1, 2, 3])]).toEqual([0x21, 0x03])
    expect([...pack('int4', [-1, 2, -8])]).toEqual([0x2f, 0x08])
  })

  it('starts at the lowest two bits', () => {
    expect([...pack('uint2', [0, 1, 2, 3, 1])]).toEqual([0b11100100, 1])
    expect([...pack('int2', [-2, 1])]).toEqual([0b0110])
  })

  it('puts four six-bit codes into three bytes', () => {
    // byte0 = x0 | (x1 & 3) << 6; byte1 = x1 >> 2 | (x2 & 15) << 4; byte2 = x2 >> 4 | x3 << 2
    const [x0, x1, x2, x3] = [0b100001, 0b110010, 0b101100, 0b011111]
    expect([...pack('float6e2m3', [x0, x1, x2, x3])]).toEqual([
      x0 | ((x1 & 3) << 6),
      (x1 >> 2) | ((x2 & 15) << 4),
      (x2 >> 4) | (x3 << 2),
    ])
  })
})
