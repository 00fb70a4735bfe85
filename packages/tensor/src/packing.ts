// Packed types: elements follow each other from the lowest bit of the first byte (TensorProto).
import { errors } from './errors.js'

export interface PackedFormat {
  readonly bits: 2 | 4 | 6
  /** Two's complement. */
  readonly signed: boolean
}

/**
 * The packed formats of ONNX. Floats are packed as their bit patterns (codes).
 */
export const PACKED_FORMATS = {
  uint4: { bits: 4, signed: false },
  int4: { bits: 4, signed: true },
  uint2: { bits: 2, signed: false },
  int2: { bits: 2, signed: true },
  float4e2m1: { bits: 4, signed: false },
  float6e2m3: { bits: 6, signed: false },
  float6e3m2: { bits: 6, signed: false },
} as const satisfies Readonly<Record<string, PackedFormat>>

export type PackedType = keyof typeof PACKED_FORMATS

export function isPackedType(dataType: string): dataType is PackedType {
  return Object.hasOwn(PACKED_FORMATS, dataType)
}

/** Packs one value per element; bits above the format's are cut off, the last byte is zero-padded. */
export function pack(dataType: PackedType, values: ArrayLike<number>): Uint8Array {
  const { bits } = PACKED_FORMATS[dataType]
  const count = values.length
  const packed = new Uint8Array(Math.ceil((count * bits) / 8))
  const mask = (1 << bits) - 1
  if (bits === 6) {
    for (let i = 0; i < count; i++) {
      const code = values[i]! & mask
      const at = i * 6
      const byte = Math.floor(at / 8)
      const shifted = code << (at % 8)
      packed[byte]! |= shifted & 0xff
      if (shifted > 0xff) packed[byte + 1]! |= shifted >> 8
    }
    return packed
  }
  const perByte = 8 / bits
  let i = 0
  for (let byte = 0; byte < packed.length; byte++) {
    let joined = 0
    for (let slot = 0; slot < perByte && i < count; slot++, i++) {
      joined |= (values[i]! & mask) << (slot * bits)
    }
    packed[byte] = joined
  }
  return packed
}

/** Unpacks `count` elements: Int8Array for signed formats, Uint8Array otherwise. */
export function unpack(
  dataType: PackedType,
  packed: Uint8Array,
  count: number,
): Int8Array | Uint8Array {
  const { bits, signed } = PACKED_FORMATS[dataType]
  const needed = Math.ceil((count * bits) / 8)
  if (packed.length !== needed) {
    throw errors.tensor_data_mismatch(
      `${count} elements of ${dataType} take ${needed} bytes, but there are ${packed.length}`,
    )
  }
  const values = signed ? new Int8Array(count) : new Uint8Array(count)
  if (bits === 6) unpack6(packed, values)
  else if (bits === 4) unpack4(packed, values, signed)
  else unpack2(packed, values, signed)
  return values
}

function unpack4(packed: Uint8Array, values: Int8Array | Uint8Array, signed: boolean): void {
  const shift = signed ? 28 : 0
  const pairs = values.length >> 1
  for (let byte = 0; byte < pairs; byte++) {
    const joined = packed[byte]!
    values[2 * byte] = ((joined & 0xf) << shift) >> shift
    values[2 * byte + 1] = ((joined >> 4) << shift) >> shift
  }
  if (values.length % 2 === 1) {
    values[values.length - 1] = ((packed[pairs]! & 0xf) << shift) >> shift
  }
}

function unpack2(packed: Uint8Array, values: Int8Array | Uint8Array, signed: boolean): void {
  const shift = signed ? 30 : 0
  for (let i = 0; i < values.length; i++) {
    const code = (packed[i >> 2]! >> ((i & 3) * 2)) & 3
    values[i] = (code << shift) >> shift
  }
}

function unpack6(packed: Uint8Array, values: Int8Array | Uint8Array): void {
  for (let i = 0; i < values.length; i++) {
    const at = i * 6
    const byte = Math.floor(at / 8)
    values[i] = ((packed[byte]! | ((packed[byte + 1] ?? 0) << 8)) >> (at % 8)) & 0x3f
  }
}
