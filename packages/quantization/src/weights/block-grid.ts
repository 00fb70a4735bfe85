// The grid of a block: `code` stands for scale · (code − zeroPoint). The arithmetic is that of
// onnxruntime's quantizer (MlasQuantizeBlockwise), float32 step by float32 step, so that the codes
// are the same to the last bit. It rounds half away from zero, unlike the rest of Pare.
import type { WeightBits } from '@pare/recipe'
import { decodeFloat16, encodeFloat16 } from '@pare/tensor'

export interface GridSpec {
  readonly bits: WeightBits
  /** Values along the summed dimension that share a scale. */
  readonly blockSize: number
  /** Zero point fixed in the middle: 8 of 0…15. */
  readonly symmetric: boolean
  /** Type in which scales are stored: that of the weight. Codes are made for the stored scale. */
  readonly scaleType: 'float32' | 'float16'
}

/** A weight as the matrix that is summed over: one row per output, row-major. */
export interface WeightMatrix {
  readonly rows: number
  readonly columns: number
  readonly values: Float32Array
}

export interface QuantizedMatrix {
  readonly spec: GridSpec
  readonly rows: number
  readonly columns: number
  readonly blocks: number
  /** [rows, columns], 0 … 2^bits − 1. */
  readonly codes: Uint8Array
  /** [rows, blocks]. */
  readonly scales: Float32Array
  /** [rows, blocks]; all `middle(bits)` when symmetric. */
  readonly zeroPoints: Uint8Array
}

export function middle(bits: WeightBits): number {
  return 2 ** (bits - 1)
}

export function largestCode(bits: WeightBits): number {
  return 2 ** bits - 1
}

export function blockCount(columns: number, { blockSize }: GridSpec): number {
  return Math.ceil(columns / blockSize)
}

/** A matrix still to be filled. */
export function emptyQuantized(
  { rows, columns }: Pick<WeightMatrix, 'rows' | 'columns'>,
  spec: GridSpec,
): QuantizedMatrix {
  const blocks = blockCount(columns, spec)
  return {
    spec,
    rows,
    columns,
    blocks,
    codes: new Uint8Array(rows * columns),
    scales: new Float32Array(rows * blocks),
    zeroPoints: new Uint8Array(rows * blocks).fill(middle(spec.bits)),
  }
}

export interface BlockParams {
  readonly scale: number
  readonly zeroPoint: number
}

/** The grid that spans `low` … `high`, widened to contain 0. */
export function spanningGrid(low: number, high: number, spec: GridSpec): BlockParams {
  const min = Math.min(low, 0)
  const max = Math.max(high, 0)
  const half = middle(spec.bits)
  if (spec.symmetric) {
    const extreme = Math.abs(max) > Math.abs(min) ? max : min
    return { scale: storedScale(extreme / -half, spec), zeroPoint: half }
  }
  const top = largestCode(spec.bits)
  const scale = storedScale(Math.fround(max - min) / top, spec)
  const zero = scale === 0 ? min : Math.fround(-Math.fround(min / scale))
  return { scale, zeroPoint: Math.min(Math.max(Math.floor(zero + 0.5), 0), top) }
}

/** The scale as it will be read back. */
export function storedScale(scale: number, { scaleType }: GridSpec): number {
  if (scaleType === 'float32') return Math.fround(scale)
  return decodeFloat16(encodeFloat16(Float32Array.of(scale)))[0]!
}

/** The range of `values[start … end)`. */
export function rangeOf(
  values: Float32Array | Float64Array,
  start: number,
  end: number,
): readonly [number, number] {
  let low = Infinity
  let high = -Infinity
  for (let i = start; i < end; i++) {
    const value = values[i]!
    if (value < low) low = value
    if (value > high) high = value
  }
  return [low, high]
}

/** 1/scale as the encoder multiplies with it; 0 for a block of zeros. */
export function reciprocal(scale: number): number {
  return scale === 0 ? 0 : Math.fround(1 / scale)
}

export function encodeValue(
  value: number,
  inverse: number,
  zeroPoint: number,
  top: number,
): number {
  const place = Math.fround(Math.fround(value * inverse) + zeroPoint)
  const rounded = Math.floor(place + 0.5)
  return rounded < 0 ? 0 : rounded > top ? top : rounded
}

/** Sets a block's grid and its codes. `row` and `block` count from 0. */
export function encodeBlock(
  target: QuantizedMatrix,
  { values, row, block }: { values: Float32Array; row: number; block: number },
  { scale, zeroPoint }: BlockParams,
): void {
  const { spec, columns, blocks, codes } = target
  target.scales[row * blocks + block] = scale
  target.zeroPoints[row * blocks + block] = zeroPoint
  const inverse = reciprocal(scale)
  const top = largestCode(spec.bits)
  const start = row * columns + block * spec.blockSize
  const end = Math.min(start + spec.blockSize, (row + 1) * columns)
  for (let i = start; i < end; i++) codes[i] = encodeValue(values[i]!, inverse, zeroPoint, top)
}

/** The float matrix that the codes stand for. */
export function dequantize(matrix: QuantizedMatrix): WeightMatrix {
  const { spec, rows, columns, blocks, codes, scales, zeroPoints } = matrix
  const values = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * blocks + Math.floor(column / spec.blockSize)
      const i = row * columns + column
      values[i] = scales[at]! * (codes[i]! - zeroPoints[at]!)
    }
  }
  return { rows, columns, values }
}
