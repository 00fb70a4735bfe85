import { WEIGHT_BITS, type WeightBits } from '@pare/recipe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  blockCount,
  type GridSpec,
  largestCode,
  middle,
  type QuantizedMatrix,
  type WeightMatrix,
} from './block-grid.js'
import { type PackedNBits, packNBits } from './pack-nbits.js'
import { quantizeRtn } from './rtn.js'
import { transpose } from './weight-matrix.js'

/**
 * What onnxruntime 1.30 makes of the weight below with blocks of 16 (quantize_matmul_2bits, _4bits
 * and _8bits of onnxruntime.capi, which its MatMulNBitsQuantizer calls), as bytes in hexadecimal.
 */
const ONNXRUNTIME = [
  {
    bits: 2,
    symmetric: true,
    weight: 'e739499ed3e4394e92e7000034798e93aaaaaaaad3e40000',
    scales: '343a11bfceda08bffd9117bf9cde09bf0000008000d707bf',
    zeroPoints: '0000',
  },
  {
    bits: 2,
    symmetric: false,
    weight: '1886b661181b86b16d180000c686616c00000000181b0000',
    scales: 'bc15253f47461b3f48461b3f47461b3f0000000048461b3f',
    zeroPoints: '9591',
  },
  {
    bits: 4,
    symmetric: true,
    weight:
      '4ec8731ba640d9731ca650e9832cb65009843cb700000000610a953ec8620b9588888888888888881cb650e900000000',
    scales: '343a11beceda08befd9117be9cde09be0000008000d707be',
    zeroPoints: '00000000',
  },
  {
    bits: 4,
    symmetric: false,
    weight:
      'b0167cd349af157bd238af056bd1389ef35ab016000000008df35ab0168de3490000000000000000d238af0500000000',
    scales: '6311043e7270f83d7370f83d7270f83d000000007370f83d',
    zeroPoints: '66850686',
  },
  {
    bits: 8,
    symmetric: true,
    weight:
      'da3d81c6296db214599d004489cd3075bc165ea7004991da337cc41d66af085097004283c52e70b10000000000000000155ea6004890d8337bc31d65ad08509880808080808080808080808080808080be165fa8004992db0000000000000000',
    scales: '343a11bcceda08bcfd9117bc9cde09bc0000008000d707bc',
    zeroPoints: '000000000000',
  },
  {
    bits: 8,
    symmetric: false,
    weight:
      '00b76717cf7f2fe79747ffaf5f0fc67622e6913cffaa5500c36e19dc8732f6a13cffaa5500c36e190000000000000000e6913cffaa5500c36e19dd8832f6a14c0000000000000000000000000000000022e5903bffaa55000000000000000000',
    scales: '3399f83b3ed3e93b3fd3e93b3ed3e93b000000003fd3e93b',
    zeroPoints: '69695968006a',
  },
] as const

/** [K 40, N 2]; rows 16 to 31 of the second column are zeros. The last block is half full. */
function referenceWeight(): WeightMatrix {
  const values = Float32Array.from({ length: 80 }, (_, i) => (((i * 7919) % 1009) / 1009) * 2 - 0.8)
  for (let row = 16; row < 32; row++) values[2 * row + 1] = 0
  return { rows: 2, columns: 40, values: transpose(values, 40, 2) }
}

function hex(array: Uint8Array | Float32Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex')
}

/** The matrix again. `zeroPoints` undefined: symmetric. */
function unpackNBits(
  { weight, zeroPoints }: PackedNBits,
  scales: Float32Array,
  layout: { readonly rows: number; readonly columns: number; readonly spec: GridSpec },
): QuantizedMatrix {
  const { rows, columns, spec } = layout
  const blocks = blockCount(columns, spec)
  const size = { rows, bits: spec.bits }
  return {
    spec,
    rows,
    columns,
    blocks,
    codes: unpackRows(weight, { ...size, columns }),
    scales,
    zeroPoints:
      zeroPoints === undefined
        ? new Uint8Array(rows * blocks).fill(middle(spec.bits))
        : unpackRows(zeroPoints, { ...size, columns: blocks }),
  }
}

function unpackRows(
  packed: Uint8Array,
  { rows, columns, bits }: { rows: number; columns: number; bits: WeightBits },
): Uint8Array {
  const perByte = 8 / bits
  const bytes = packed.length / rows
  const mask = (1 << bits) - 1
  const codes = new Uint8Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const byte = packed[row * bytes + Math.floor(column / perByte)]!
      codes[row * columns + column] = (byte >> ((column % perByte) * bits)) & mask
    }
  }
  return codes
}

describe('packNBits', () => {
  it.each(ONNXRUNTIME)(
    'writes bit for bit what onnxruntime writes: $bits bits, symmetric $symmetric',
    ({ bits, symmetric, weight, scales, zeroPoints }) => {
      const spec: GridSpec = { bits, symmetric, blockSize: 16, scaleType: 'float32' }
      const quantized = quantizeRtn(referenceWeight(), spec)
      const packed = packNBits(quantized)
      expect(hex(packed.weight)).toBe(weight)
      expect(hex(quantized.scales)).toBe(scales)
      expect(packed.zeroPoints === undefined ? undefined : hex(packed.zeroPoints)).toBe(
        symmetric ? undefined : zeroPoints,
      )
    },
  )

  it('gives back what it packed, whatever the sizes', () => {
    const cases = fc.record({
      bits: fc.constantFrom(...WEIGHT_BITS),
      blockSize: fc.constantFrom(16, 32, 64),
      symmetric: fc.boolean(),
      rows: fc.integer({ min: 1, max: 5 }),
      columns: fc.integer({ min: 1, max: 150 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    })
    fc.assert(
      fc.property(cases, ({ rows, columns, seed, ...grid }) => {
        const spec: GridSpec = { ...grid, scaleType: 'float32' }
        const values = Float32Array.from({ length: rows * columns }, (_, i) =>
          Math.sin(seed + i * i),
        )
        const quantized = quantizeRtn({ rows, columns, values }, spec)
        expect(quantized.codes.every((code) => code <= largestCode(spec.bits))).toBe(true)
        const packed = packNBits(quantized)
        expect(packed.weight).toHaveLength(
          (rows * quantized.blocks * spec.blockSize * spec.bits) / 8,
        )
        const back = unpackNBits(packed, quantized.scales, { rows, columns, spec })
        expect(back).toEqual(quantized)
      }),
      { numRuns: 200 },
    )
  })
})
