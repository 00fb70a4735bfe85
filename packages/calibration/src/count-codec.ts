// Counts as text: for each bin that is not empty the distance from the one before and the count, both
// as base-128 numbers, in base64. One text for one histogram, so texts can be compared.
import { errors } from './errors.js'
import { BINS } from './lattice.js'

export function encodeCounts(counts: Float64Array): string {
  const bytes: number[] = []
  let previous = -1
  for (let bin = 0; bin < BINS; bin++) {
    const n = counts[bin]!
    if (n === 0) continue
    writeNumber(bytes, bin - previous - 1)
    writeNumber(bytes, n)
    previous = bin
  }
  return Buffer.from(bytes).toString('base64')
}

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

function writeNumber(bytes: number[], value: number): void {
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
}

function readNumber(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0
  for (let unit = 1; ; unit *= 0x80) {
    const byte = reader.bytes[reader.at++]
    if (byte === undefined) throw invalid('cut off')
    value += (byte & 0x7f) * unit
    if (!Number.isSafeInteger(value)) throw invalid('out of range')
    if (byte < 0x80) {
      if (byte === 0 && unit > 1) throw invalid('a number longer than needed')
      return value
    }
  }
}

function invalid(what: string): Error {
  return errors.calibration_statistics_invalid(`the counts of a histogram are malformed: ${what}`)
}
