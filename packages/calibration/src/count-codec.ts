// Counts as text: for each bin that is not empty the distance from the one before and the count, both
// as base-128 numbers, in base64. One text for one histogram, so texts can be compared.
import { errors } from './errors.js'
import { BINS } from './lattice.js'

export function encodeCounts(counts: Float64Array): string {
  const writer = { bytes: Buffer.allocUnsafe(FIRST_BYTES), at: 0 }
  let previous = -1
  for (let bin = 0; bin < BINS; bin++) {
    const n = counts[bin]!
    if (n === 0) continue
    if (writer.at + 2 * LONGEST > writer.bytes.length) {
      writer.bytes = Buffer.concat([writer.bytes], 2 * writer.bytes.length)
    }
    writeNumber(writer, bin - previous - 1)
    writeNumber(writer, n)
    previous = bin
  }
  return writer.bytes.toString('base64', 0, writer.at)
}

const FIRST_BYTES = 2 ** 12
/** Bytes of the longest number, below 2^53. */
const LONGEST = 8

/** Throws `calibration_statistics_invalid` for a text that `encodeCounts` does not write. */
export function decodeCounts(text: string): Float64Array {
  const counts = new Float64Array(BINS)
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalid('not base64')
  const reader = { bytes, at: 0 }
  let bin = -1
  let total = 0
  while (reader.at < bytes.length) {
    bin += readNumber(reader) + 1
    const n = readNumber(reader)
    total += n
    if (bin >= BINS || n === 0 || !Number.isSafeInteger(total)) throw invalid('out of range')
    counts[bin] = n
  }
  return counts
}

interface Place {
  readonly bytes: Uint8Array
  at: number
}

function writeNumber(writer: Place, value: number): void {
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    writer.bytes[writer.at++] = (rest % 0x80) | 0x80
  }
  writer.bytes[writer.at++] = rest
}

function readNumber(reader: Place): number {
  const first = reader.bytes[reader.at++]
  if (first !== undefined && first < 0x80) return first
  let value = (first ?? 0) & 0x7f
  for (let unit = 0x80; ; unit *= 0x80) {
    const byte = reader.bytes[reader.at++]
    if (byte === undefined) throw invalid('cut off')
    value += (byte & 0x7f) * unit
    if (!Number.isSafeInteger(value)) throw invalid('out of range')
    if (byte < 0x80) {
      if (byte === 0) throw invalid('a number longer than needed')
      return value
    }
  }
}

function invalid(what: string): Error {
  return errors.calibration_statistics_invalid(`the counts of a histogram are malformed: ${what}`)
}
