import type { Contradiction, ParameterTable, StepSpec } from '../language/parameter.js'
import type { ParameterValues } from '../language/parameter-value.js'
import { calibrationSamples, quantizationScope } from './scope.js'

export const WEIGHT_BITS = [8, 4, 2] as const
export type WeightBits = (typeof WEIGHT_BITS)[number]

export const WEIGHT_BLOCK_SIZES = [16, 32, 64, 128, 256] as const

/** `auto`: MatMulNBits where there is such a kernel, integers that become constants for convolutions. */
export const WEIGHT_FORMATS = ['auto', 'MatMulNBits', 'QDQ'] as const
export type WeightFormat = (typeof WEIGHT_FORMATS)[number]

export const WEIGHT_ALGORITHMS = ['rtn', 'hqq', 'gptq', 'awq'] as const
export type WeightAlgorithm = (typeof WEIGHT_ALGORITHMS)[number]

/** Op types with weights that can be quantized; convolutions not in format MatMulNBits. */
export const WEIGHT_OP_TYPES = ['MatMul', 'Gemm', 'Gather', 'Conv', 'ConvTranspose'] as const

const parameters = {
  bits: {
    type: 'choice',
    choices: WEIGHT_BITS,
    default: 4,
    description:
      'Bits of a weight; 2 not with format QDQ. With format auto, convolutions and embeddings get 4 where 2 are asked for.',
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
    default: 'auto',
    description:
      'auto: MatMulNBits for matrices and embeddings, and for convolutions integers that become float weights when the model is loaded; MatMulNBits: kernels of onnxruntime that never expand the weights, none for convolutions; QDQ: standard operators of opset 21, which onnxruntime expands in each run.',
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
      'Operator types whose weights may be quantized; empty: MatMul, Gemm, Gather, and but for MatMulNBits also Conv and ConvTranspose.',
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
  keepsFloat16: true,
  makes: ['quantized'],
  parameters,
  contradictions,
} as const satisfies StepSpec
