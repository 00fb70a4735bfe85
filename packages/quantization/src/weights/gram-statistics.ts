// What gptq and awq know of a layer's inputs: XᵀX and Σ|x| over all rows that were seen.
// Plain sums, so statistics of parts of the data add up.
import { errors } from '../errors.js'

export interface InputGram {
  readonly columns: number
  /** Rows of X: samples times positions. */
  readonly rows: number
  /** XᵀX, [columns, columns]. */
  readonly gram: Float64Array
  /** Σ|x| per column. */
  readonly magnitude: Float64Array
}

export interface GramStatistics {
  readonly samples: number
  /** By value name. */
  readonly inputs: ReadonlyMap<string, InputGram>
}

/** Statistics of both parts. Throws `quantization_statistics_missing` when they do not belong together. */
export function mergeGrams(a: GramStatistics, b: GramStatistics): GramStatistics {
  const inputs = new Map<string, InputGram>()
  for (const [value, left] of a.inputs) {
    const right = b.inputs.get(value)
    if (right?.columns !== left.columns || a.inputs.size !== b.inputs.size) {
      throw errors.quantization_statistics_missing(
        `the Gram matrices of ${value} are of different models`,
      )
    }
    inputs.set(value, addGrams(left, right))
  }
  return { samples: a.samples + b.samples, inputs }
}

export function addGrams(a: InputGram, b: InputGram): InputGram {
  return {
    columns: a.columns,
    rows: a.rows + b.rows,
    gram: a.gram.map((value, i) => value + b.gram[i]!),
    magnitude: a.magnitude.map((value, i) => value + b.magnitude[i]!),
  }
}

/** Statistics of the same inputs divided by `scales`, column by column. */
export function scaleGram(input: InputGram, scales: ArrayLike<number>): InputGram {
  const { columns, gram, magnitude } = input
  const scaled = new Float64Array(gram.length)
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      scaled[i * columns + j] = gram[i * columns + j]! / (scales[i]! * scales[j]!)
    }
  }
  return { ...input, gram: scaled, magnitude: magnitude.map((value, i) => value / scales[i]!) }
}

interface Header {
  readonly version: number
  readonly samples: number
  readonly inputs: readonly { readonly name: string; columns: number; rows: number }[]
}

const VERSION = 1

/**
 * As bytes: the length of a JSON header (uint32), the header, then per input the upper triangle of
 * the Gram matrix and the magnitudes in float64, little-endian.
 */
export function encodeGrams({ samples, inputs }: GramStatistics): Uint8Array {
  const header: Header = {
    version: VERSION,
    samples,
    inputs: [...inputs].map(([name, { columns, rows }]) => ({ name, columns, rows })),
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const floats = [...inputs.values()].reduce((sum, { columns }) => sum + floatsOf(columns), 0)
  const bytes = new Uint8Array(4 + text.length + 8 * floats)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, text.length, true)
  bytes.set(text, 4)
  let at = 4 + text.length
  const put = (value: number) => {
    view.setFloat64(at, value, true)
    at += 8
  }
  for (const { columns, gram, magnitude } of inputs.values()) {
    for (let i = 0; i < columns; i++) {
      for (let j = i; j < columns; j++) put(gram[i * columns + j]!)
    }
    magnitude.forEach(put)
  }
  return bytes
}

function floatsOf(columns: number): number {
  return (columns * (columns + 1)) / 2 + columns
}

/** Throws `quantization_statistics_missing` for bytes that `encodeGrams` did not make. */
export function decodeGrams(bytes: Uint8Array): GramStatistics {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = readHeader(bytes, view)
  let at = 4 + view.getUint32(0, true)
  const expected = header.inputs.reduce((sum, { columns }) => sum + 8 * floatsOf(columns), at)
  if (expected !== bytes.length) throw notGrams()
  const take = () => {
    at += 8
    return view.getFloat64(at - 8, true)
  }
  const inputs = new Map<string, InputGram>()
  for (const { name, columns, rows } of header.inputs) {
    const gram = new Float64Array(columns * columns)
    for (let i = 0; i < columns; i++) {
      for (let j = i; j < columns; j++) gram[i * columns + j] = gram[j * columns + i] = take()
    }
    const magnitude = Float64Array.from({ length: columns }, take)
    inputs.set(name, { columns, rows, gram, magnitude })
  }
  return { samples: header.samples, inputs }
}

function readHeader(bytes: Uint8Array, view: DataView): Header {
  try {
    const length = view.getUint32(0, true)
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(4, 4 + length))
    const header = JSON.parse(text) as Header
    if (header.version === VERSION) return header
  } catch {
    // Reported below: whatever is wrong, these are not our bytes.
  }
  throw notGrams()
}

function notGrams() {
  return errors.quantization_statistics_missing('these are no Gram matrices of this version')
}
