// One weight, by the algorithm that was asked for or, with a reason, by round to nearest.
import type { WeightAlgorithm } from '@pare/recipe'

import type { GridSpec, QuantizedMatrix, WeightMatrix } from './block-grid.js'
import { quantizeGptq } from './gptq.js'
import type { InputGram } from './gram-statistics.js'
import { quantizeHqq } from './hqq.js'
import type { ResolvedWeightsOptions } from './options.js'
import { quantizeForOutput } from './quantize-for-output.js'
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
      return { quantized: quantizeForOutput(matrix, spec, gram.gram).quantized, algorithm: 'awq' }
    case 'gptq': {
      if (gram === undefined) return byRtn('there are no statistics of its input')
      const quantized = quantizeGptq(matrix, spec, { gram: gram.gram, ...options })
      if (quantized === undefined) return byRtn('the statistics of its input are degenerate')
      return { quantized, algorithm: 'gptq' }
    }
  }
}
