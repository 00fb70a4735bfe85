// One weight, by the algorithm that was asked for or, with a reason, by round to nearest.
import { dequantize, type GridSpec, type QuantizedMatrix, type WeightMatrix } from './block-grid.js'
import { outputError } from './error.js'
import { quantizeGptq } from './gptq.js'
import type { InputGram } from './gram-statistics.js'
import { quantizeHqq } from './hqq.js'
import type { ResolvedWeightsOptions, WeightAlgorithm } from './options.js'
import { quantizeClipped } from './quantize-clipped.js'
import { quantizeRtn } from './rtn.js'

export interface QuantizedBy {
  readonly quantized: QuantizedMatrix
  readonly algorithm: WeightAlgorithm
  /** Why it is not the algorithm that was asked for. */
  readonly fallback?: string
}

export function quantizeMatrix(
  matrix: WeightMatrix,
  spec: GridSpec,
  {
    options,
    gram,
  }: {
    readonly options: Pick<ResolvedWeightsOptions, 'algorithm' | 'damping' | 'actOrder'>
    readonly gram: InputGram | undefined
  },
): QuantizedBy {
  const byRtn = (fallback?: string): QuantizedBy => ({
    quantized: quantizeRtn(matrix, spec),
    algorithm: 'rtn',
    ...(fallback === undefined ? {} : { fallback }),
  })
  switch (options.algorithm) {
    case 'rtn':
      return byRtn()
    case 'hqq':
      return { quantized: quantizeHqq(matrix, spec), algorithm: 'hqq' }
    case 'awq':
      if (gram === undefined) return byRtn('there are no statistics of its input')
      return { quantized: better(matrix, spec, gram), algorithm: 'awq' }
    case 'gptq': {
      if (gram === undefined) return byRtn('there are no statistics of its input')
      const quantized = quantizeGptq(matrix, spec, { gram: gram.gram, ...options })
      if (quantized === undefined) return byRtn('the statistics of its input are degenerate')
      return { quantized, algorithm: 'gptq' }
    }
  }
}

/** Clipped or not, whichever errs less at the output: blocks are clipped without seeing each other. */
function better(matrix: WeightMatrix, spec: GridSpec, { gram }: InputGram): QuantizedMatrix {
  const error = (quantized: QuantizedMatrix) =>
    outputError(matrix, dequantize(quantized), gram).error
  const [clipped, plain] = [quantizeClipped(matrix, spec, gram), quantizeRtn(matrix, spec)]
  return error(clipped) < error(plain) ? clipped : plain
}
