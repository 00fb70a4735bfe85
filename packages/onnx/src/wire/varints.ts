// Lists of varints that become tensor bytes, without an object per number.
import { codecErrors } from '../errors.js'
import { scanErrors } from '../scan/errors.js'
import type { Range } from './reader.js'

/** How many varints the ranges hold. Throws `protobuf_malformed` where one is cut. */
export function countVarints(bytes: Uint8Array, ranges: readonly Range[], place: string): number {
  let count = 0
  for (const { start, end } of ranges) {
    for (let at = start; at < end; at++) if (bytes[at]! < 0x80) count++
    if (end > start && bytes[end - 1]! >= 0x80) {
      throw scanErrors.protobuf_malformed(`${place}: a list of integers ends inside an integer`)
    }
  }
  return count
}

/** Little-endian numbers of `width` bytes from the varints, each checked to fit. */
export function packVarints(
  bytes: Uint8Array,
  ranges: readonly Range[],
  {
    width,
    count,
    place,
  }: { readonly width: 1 | 2 | 4 | 8; readonly count: number; readonly place: string },
): Uint8Array {
  const packed = new Uint8Array(count * width)
  const view = new DataView(packed.buffer)
  let out = 0
  for (const range of ranges) {
    let at = range.start
    while (at < range.end) {
      let low = 0
      let high = 0
      let byte = 0x80
      for (let shift = 0; byte >= 0x80; shift += 7) {
        if (shift > 63) {
          throw scanErrors.varint_invalid(`${place}: an integer takes more than ten bytes`)
        }
        byte = bytes[at++]!
        const bits = byte & 0x7f
        if (shift < 28) low |= bits << shift
        else if (shift === 28) {
          low |= bits << 28
          high = bits >>> 4
        } else high |= bits << (shift - 32)
      }
      if (width === 8) {
        view.setUint32(out, low, true)
        view.setUint32(out + 4, high, true)
      } else if (width === 4) {
        if (high !== 0 && high !== low >> 31) throw tooLarge(place)
        view.setUint32(out, low, true)
      } else {
        // Signed and unsigned numbers of the width are both written; only the bits count.
        if (low < -(1 << (8 * width - 1)) || low >= 1 << (8 * width)) throw tooLarge(place)
        if (width === 2) view.setUint16(out, low, true)
        else packed[out] = low
      }
      out += width
    }
  }
  return packed
}

function tooLarge(place: string): Error {
  return codecErrors.tensor_value_invalid(
    `${place}: an integer does not fit the tensor's data type`,
  )
}
