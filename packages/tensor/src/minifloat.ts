// Floats of 4 to 16 bits. One description per format, one exact scalar conversion for all;
// arrays of 8 bits and fewer decode through a table.
import { roundHalfToEven } from './rounding.js'

interface MiniFloatFormat {
  readonly bits: number
  readonly mantissaBits: number
  /** Exponent of the smallest normal number: 1 - bias. */
  readonly minExponent: number
  /** Code of the largest finite positive number. */
  readonly maxCode: number
  /** Code of +infinity, where the format has one. */
  readonly infinityCode?: number
  /** Code that NaN is written as; absent: the format has none. */
  readonly nanCode?: number
  /** False: the code of -0 is the NaN ("fnuz" formats). */
  readonly hasNegativeZero: boolean
}

/** ONNX docs/technical/float8.md and float4.md, OCP MX v1.0, IEEE 754. */
const FORMATS = {
  float16: {
    bits: 16,
    mantissaBits: 10,
    minExponent: -14,
    maxCode: 0x7bff,
    infinityCode: 0x7c00,
    nanCode: 0x7e00,
    hasNegativeZero: true,
  },
  bfloat16: {
    bits: 16,
    mantissaBits: 7,
    minExponent: -126,
    maxCode: 0x7f7f,
    infinityCode: 0x7f80,
    nanCode: 0x7fc0,
    hasNegativeZero: true,
  },
  float8e4m3fn: {
    bits: 8,
    mantissaBits: 3,
    minExponent: -6,
    maxCode: 0x7e,
    nanCode: 0x7f,
    hasNegativeZero: true,
  },
  float8e4m3fnuz: {
    bits: 8,
    mantissaBits: 3,
    minExponent: -7,
    maxCode: 0x7f,
    nanCode: 0x80,
    hasNegativeZero: false,
  },
  float8e5m2: {
    bits: 8,
    mantissaBits: 2,
    minExponent: -14,
    maxCode: 0x7b,
    infinityCode: 0x7c,
    nanCode: 0x7e,
    hasNegativeZero: true,
  },
  float8e5m2fnuz: {
    bits: 8,
    mantissaBits: 2,
    minExponent: -15,
    maxCode: 0x7f,
    nanCode: 0x80,
    hasNegativeZero: false,
  },
  float6e2m3: {
    bits: 6,
    mantissaBits: 3,
    minExponent: 0,
    maxCode: 0x1f,
    hasNegativeZero: true,
  },
  float6e3m2: {
    bits: 6,
    mantissaBits: 2,
    minExponent: -2,
    maxCode: 0x1f,
    hasNegativeZero: true,
  },
  float4e2m1: {
    bits: 4,
    mantissaBits: 1,
    minExponent: 0,
    maxCode: 0x7,
    hasNegativeZero: true,
  },
} as const satisfies Readonly<Record<string, MiniFloatFormat>>

export type MiniFloatType = keyof typeof FORMATS

export function isMiniFloatType(dataType: string): dataType is MiniFloatType {
  return Object.hasOwn(FORMATS, dataType)
}

export interface FloatEncodeOptions {
  /**
   * What lies beyond the largest number of an 8-bit format: true (default, as Cast's `saturate`)
   * takes the largest, false infinity, or NaN where there is none. float16 and bfloat16 never
   * saturate; the formats of 6 and 4 bits always do.
   */
  readonly saturate?: boolean
}

/**
 * The bit pattern of the nearest number, ties to the even mantissa. Exact for every double: there
 * is no rounding to float32 in between. NaN in a format without NaN becomes -0, as in ml_dtypes.
 */
export function encodeMiniFloat(
  dataType: MiniFloatType,
  x: number,
  options: FloatEncodeOptions = {},
): number {
  const format: MiniFloatFormat = FORMATS[dataType]
  const sign = 1 << (format.bits - 1)
  if (Number.isNaN(x)) return format.nanCode ?? sign
  const negative = x < 0 || Object.is(x, -0)
  const code = magnitudeCode(format, Math.abs(x), options.saturate ?? true)
  const isNan = format.nanCode !== undefined && code === format.nanCode
  if (!negative || (isNan && !format.hasNegativeZero)) return code
  if (code === 0 && !format.hasNegativeZero) return 0
  return code | sign
}

function magnitudeCode(format: MiniFloatFormat, magnitude: number, saturate: boolean): number {
  const beyond = overflowCode(format, saturate)
  if (magnitude === Infinity) return beyond
  const exponent = Math.max(exponentOf(magnitude), format.minExponent)
  // Dividing by a power of two is exact; the carry of the mantissa moves into the exponent.
  const mantissa = roundHalfToEven(magnitude / 2 ** (exponent - format.mantissaBits))
  const code = (exponent - format.minExponent) * (1 << format.mantissaBits) + mantissa
  return code > format.maxCode ? beyond : code
}

function overflowCode(format: MiniFloatFormat, saturate: boolean): number {
  if (format.bits < 8 || (format.bits === 8 && saturate)) return format.maxCode
  return format.infinityCode ?? format.nanCode ?? format.maxCode
}

const scratch = new DataView(new ArrayBuffer(8))

/** floor(log2(x)) of a positive double; -1023 for subnormal ones. */
function exponentOf(x: number): number {
  scratch.setFloat64(0, x)
  return ((scratch.getUint16(0) >> 4) & 0x7ff) - 1023
}

/** The number that a bit pattern stands for. */
export function decodeMiniFloat(dataType: MiniFloatType, code: number): number {
  const format: MiniFloatFormat = FORMATS[dataType]
  const sign = 1 << (format.bits - 1)
  if (!format.hasNegativeZero && code === sign) return NaN
  const magnitude = code & (sign - 1)
  const negative = (code & sign) !== 0
  if (magnitude > format.maxCode) {
    return magnitude === format.infinityCode ? (negative ? -Infinity : Infinity) : NaN
  }
  const mantissaScale = 1 << format.mantissaBits
  const biased = Math.floor(magnitude / mantissaScale)
  const fraction = magnitude % mantissaScale
  const value =
    biased === 0
      ? fraction * 2 ** (format.minExponent - format.mantissaBits)
      : (mantissaScale + fraction) * 2 ** (biased - 1 + format.minExponent - format.mantissaBits)
  return negative ? -value : value
}

const tables = new Map<string, Float32Array>()

/** All numbers of a format of 8 bits or fewer, by bit pattern. */
export function decodeTable(
  dataType: Exclude<MiniFloatType, 'float16' | 'bfloat16'> | 'float8e8m0',
): Float32Array {
  const known = tables.get(dataType)
  if (known !== undefined) return known
  const table =
    dataType === 'float8e8m0'
      ? Float32Array.from({ length: 256 }, (_, code) => decodeFloat8e8m0(code))
      : Float32Array.from({ length: 1 << FORMATS[dataType].bits }, (_, code) =>
          decodeMiniFloat(dataType, code),
        )
  tables.set(dataType, table)
  return table
}

/** 2^(code - 127); 255 is NaN. */
export function decodeFloat8e8m0(code: number): number {
  return code === 255 ? NaN : 2 ** (code - 127)
}

export interface Float8e8m0Options {
  /** Which power of two a number between two of them becomes; Cast's default is `up`. */
  readonly roundMode?: 'up' | 'down' | 'nearest'
  /** Beyond 2^127: the largest (default) or NaN. */
  readonly saturate?: boolean
}

/**
 * The exponent of |x| rounded to float32, as Cast (opset 24) defines it: the sign is dropped,
 * infinity and NaN give NaN (255), ties of `nearest` go up.
 */
export function encodeFloat8e8m0(x: number, options: Float8e8m0Options = {}): number {
  const { roundMode = 'up', saturate = true } = options
  scratch.setFloat32(0, x)
  const bits = scratch.getUint32(0)
  const exponent = (bits >>> 23) & 0xff
  if (exponent === 255) return 255
  const fraction = bits & 0x7fffff
  const half = 0x400000
  const up =
    roundMode === 'up'
      ? fraction > 0
      : roundMode === 'nearest' && (exponent > 0 ? fraction >= half : fraction > half)
  if (!up) return exponent
  return exponent === 254 && saturate ? 254 : exponent + 1
}
