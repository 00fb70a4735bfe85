import type { Contradiction, ParameterTable, StepSpec } from '../language/parameter.js'
import type { ParameterValues } from '../language/parameter-value.js'
import { calibrationSamples, quantizationScope } from './scope.js'

export const WEIGHT_BITS = [8, 4, 2] as const
export type WeightBits = (typeof WEIGHT_BITS)[number]

export const WEIGHT_BLOCK_SIZES = [16, 32, 64, 128, 256] as const

export const WEIGHT_FORMATS = ['MatMulNBits', 'QDQ'] as const
export type WeightFormat = (typeof WEIGHT_FORMATS)[number]

export const WEIGHT_ALGORITHMS = ['rtn', 'hqq', 'gptq', 'awq'] as const
export type WeightAlgorithm = (typeof WEIGHT_ALGORITHMS)[number]

/** Op types with weights that can be quantized; Conv only in format QDQ. */
export const WEIGHT_OP_TYPES = ['MatMul', 'Gemm', 'Gather', 'Conv'] as const

const parameters = {
  bits: {
    type: 'choice',
    choices: WEIGHT_BITS,
    default: 4,
    description: 'Bits of a weight; 2 needs the format MatMulNBits.',
  },
  block_size: {
    type: 'choice',
    choices: WEIGHT_BLOCK_SIZES,
    default: 32,
    description: 'Weights along the summed dimension that share a scale.',
  },
  symmetric: {
    type: 'boolean',
    default: false,
    description: 'No zero points: smaller and faster, less accurate.',
  },
  format: {
    type: 'choice',
    choices: WEIGHT_FORMATS,
    default: 'MatMulNBits',
    description:
      'MatMulNBits: kernels of onnxruntime that never expand the weights; QDQ: standard operators of opset 21.',
  },
  algorithm: {
    type: 'choice',
    choices: WEIGHT_ALGORITHMS,
    default: 'rtn',
    description: 'How weights are rounded; gptq and awq need calibration data.',
  },
  calibration: {
    type: 'group',
    description: 'The data that gptq and awq look at.',
    parameters: { samples: calibrationSamples },
  },
  damping: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.01,
    description: 'gptq: added to the diagonal of the Hessian, as a fraction of its mean.',
  },
  act_order: {
    type: 'boolean',
    default: false,
    description: 'gptq: the columns of the largest inputs first.',
  },
  op_types_to_quantize: {
    type: 'string_list',
    default: [],
    description:
      'Operator types whose weights may be quantized; empty: MatMul, Gemm, Gather, and with QDQ also Conv.',
  },
  nodes_to_exclude: quantizationScope.nodes_to_exclude,
} as const satisfies ParameterTable

function contradictions(values: ParameterValues<typeof parameters>): readonly Contradiction[] {
  if (values.bits !== 2 || values.format !== 'QDQ') return []
  const detail = 'DequantizeLinear has no 2-bit data before opset 25; use 4 bits, or MatMulNBits'
  return [{ parameter: 'bits', detail }]
}

export const quantizeWeights = {
  description:
    'Weights alone in 8, 4 or 2 bits, in blocks; activations stay float. Makes large layers small; on a CPU it may be slower.',
  takes: ['trainable', 'folded'],
  gives: 'narrow',
  parameters,
  contradictions,
} as const satisfies StepSpec
