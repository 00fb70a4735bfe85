// The grids and codes that err least at the output: blocks are clipped, codes moved to where they err
// least together, and scales fitted to the codes that come of it.
import { dequantize, type GridSpec, type QuantizedMatrix, type WeightMatrix } from './block-grid.js'
import { descendCodes } from './descend-codes.js'
import { outputError } from './error.js'
import { fitScales } from './fit-scales.js'
import { quantizeClipped } from './quantize-clipped.js'
import { quantizeRtn } from './rtn.js'

export interface MeasuredMatrix {
  readonly quantized: QuantizedMatrix
  /** Energy of the error at the output, of some rows where there are many. */
  readonly error: number
}

/** Never worse than round to nearest, by its own measure. */
export function quantizeForOutput(
  matrix: WeightMatrix,
  spec: GridSpec,
  gram: Float64Array,
): MeasuredMatrix {
  const measured = (quantized: QuantizedMatrix): MeasuredMatrix => {
    const { error } = outputError(matrix, dequantize(quantized), gram)
    return { quantized, error }
  }
  const clipped = quantizeClipped(matrix, spec, gram)
  const settled = fitScales(matrix, descendCodes(matrix, clipped, gram), gram)
  return [clipped, settled]
    .map(measured)
    .reduce(
      (best, candidate) => (candidate.error < best.error ? candidate : best),
      measured(quantizeRtn(matrix, spec)),
    )
}
