import type { Contradiction, ParameterTable, StepSpec } from '../language/parameter.js'
import type { ParameterValues } from '../language/parameter-value.js'
import { calibrationSamples, perChannel, quantizationScope, reduceRange } from './scope.js'
import {
  ACTIVATION_TYPES,
  type ActivationType,
  FLOAT8,
  QUANT_FORMATS,
  staticContradictions,
  WEIGHT_TYPES,
  type WeightType,
} from './static-types.js'

/** How the range of a value is chosen from what calibration saw. */
export const CALIBRATION_METHODS = [
  'minmax',
  'moving_average',
  'percentile',
  'entropy',
  'mse',
  'auto',
] as const
export type CalibrationMethod = (typeof CALIBRATION_METHODS)[number]

/** Whether each layer is looked at by itself, or behind the corrected ones. */
export const BIAS_CORRECTION_METHODS = ['fast', 'full'] as const
export type BiasCorrectionMethod = (typeof BIAS_CORRECTION_METHODS)[number]

/** How static quantization loses less accuracy; `auto` tries on the data whether it does. */
const accuracyAlgorithms = {
  equalization: {
    type: 'choice',
    choices: ['auto', true, false],
    default: 'auto',
    description:
      'Cross-layer equalization: balances the weight ranges of consecutive layers; auto: kept where the outputs become more exact.',
  },
  smooth_quant: {
    type: 'choice',
    choices: ['auto', true, false],
    default: 'auto',
    description:
      'SmoothQuant: moves outliers of activations into the weights; auto: tried on models with such outliers, kept where the outputs become more exact.',
  },
  smooth_quant_alpha: {
    type: 'number',
    minimum: 0,
    maximum: 1,
    default: 0.5,
    description: 'smooth_quant: how much of the difficulty moves into the weights.',
  },
  bias_correction: {
    type: 'choice',
    choices: ['auto', ...BIAS_CORRECTION_METHODS, 'none'],
    default: 'auto',
    description:
      'Takes the mean error of each layer out of its bias: fast looks at each layer by itself in one pass, full at each behind the corrected ones; auto: fast, kept where the outputs become more exact.',
  },
  rounding: {
    type: 'choice',
    choices: ['nearest', 'adaround'],
    default: 'nearest',
    description:
      'How weights are rounded; adaround learns it per layer from the data, which takes its time.',
  },
  sensitivity: {
    type: 'choice',
    choices: ['auto', 'quantized_alone', 'both', 'none'],
    default: 'auto',
    description:
      'What the report says of each layer: the error with this layer alone in integers (quantized_alone); with both also what is gained when of all layers this one stays float; auto: quantized_alone for up to 64 layers, else none.',
  },
  fallback: {
    type: 'choice',
    choices: ['float', 'float16', 'none'],
    default: 'float',
    description:
      'Where constraints.max_drop does not hold: leave the fewest layers float with which it does; float16: with their weights stored in 16 bits; none: keep the result as it is.',
  },
} as const satisfies ParameterTable

const parameters = {
  calibration: {
    type: 'group',
    description: 'How activation ranges are found.',
    parameters: {
      method: {
        type: 'choice',
        choices: CALIBRATION_METHODS,
        default: 'minmax',
        description:
          'How a range is chosen: the extremes (minmax); their exponential moving average over batches; the range that holds a percentile of the values; that loses least information (entropy); that has least squared quantization error (mse); or, for each value, the widest of these whose error is within 1 dB of the least (auto).',
      },
      samples: calibrationSamples,
      percentile: {
        type: 'number',
        minimum: 90,
        maximum: 100,
        default: 99.99,
        description: 'percentile and auto: per cent of the values inside the range.',
      },
      moving_average_constant: {
        type: 'number',
        minimum: 0.005,
        maximum: 1,
        default: 0.1,
        description:
          'moving_average: how much of the difference each batch of 32 moves the average.',
      },
      stop_below_drift: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 0,
        description:
          'Stop before the end of the samples when doubling them moved no range by more than this part of its width (and, where distributions are recorded, no share of values by more than this); 0: never.',
      },
    },
  },
  activation_type: {
    type: 'choice',
    choices: [...ACTIVATION_TYPES, FLOAT8],
    default: 'uint8',
    description:
      'Type of the activations. float8e4m3fn, for GPUs only and with weights of the same type, raises the opset to 19. 16 bits lose nearly nothing but bring no CPU speed-up: onnxruntime has no kernels for them there; they need format QDQ and raise the opset to 21.',
  },
  weight_type: {
    type: 'choice',
    choices: [...WEIGHT_TYPES, FLOAT8],
    default: 'int8',
    description:
      'Type of the weights: int8, symmetric; uint8, with zero points (but for a Conv with a scale per channel) and never saturating, but about half as fast on processors with VNNI, not with int8 activations; int16, symmetric, only with 16-bit activations; float8e4m3fn, only with activations of the same type.',
  },
  per_channel: perChannel,
  symmetric: {
    type: 'boolean',
    default: false,
    description: 'Centre the ranges of the activations on zero.',
  },
  reduce_range: reduceRange,
  block_size: {
    type: 'choice',
    choices: [0, 16, 32, 64, 128, 256],
    default: 0,
    description:
      'Weights along the input channels that share a scale; 0: no blocks. Loses less, but brings no CPU speed-up: layers whose weights have more input channels than that are computed in float. Needs format QDQ and raises the opset to 21.',
  },
  format: {
    type: 'choice',
    choices: QUANT_FORMATS,
    default: 'QDQ',
    description:
      'How the quantized graph is written: QuantizeLinear and DequantizeLinear around float operators, which runtimes fuse (QDQ), or operators on integers such as QLinearConv, fast in onnxruntime without any fusion (QOperator; with int8 activations slow on x86).',
  },
  ...accuracyAlgorithms,
  ...quantizationScope,
} as const satisfies ParameterTable

type Values = ParameterValues<typeof parameters>

/** A static step whose types are integers. */
export type IntegerStep<Step> = Step & {
  readonly activation_type: ActivationType
  readonly weight_type: WeightType
}

/** Whether the step makes integers, and not float8. */
export function isInteger<Step extends Pick<Values, 'activation_type' | 'weight_type'>>(
  step: Step,
): step is IntegerStep<Step> {
  return step.activation_type !== FLOAT8 && step.weight_type !== FLOAT8
}

function contradictions(values: Values): readonly Contradiction[] {
  return isInteger(values) ? integerOnes(values) : float8Ones(values)
}

const WIRE_NAMES = {
  activationType: 'activation_type',
  weightType: 'weight_type',
  format: 'format',
  blockSize: 'block_size',
} as const

function integerOnes(values: IntegerStep<Values>): readonly Contradiction[] {
  return staticContradictions({
    activationType: values.activation_type,
    weightType: values.weight_type,
    format: values.format,
    blockSize: values.block_size,
  }).map(({ option, message }) => ({ parameter: WIRE_NAMES[option], detail: message }))
}

function float8Ones(values: Values): readonly Contradiction[] {
  const found: Contradiction[] = []
  for (const parameter of ['activation_type', 'weight_type'] as const) {
    if (values[parameter] === FLOAT8) continue
    found.push({ parameter, detail: `${FLOAT8} goes with ${FLOAT8} only: name it for both types` })
  }
  if (values.format !== 'QDQ') {
    found.push({ parameter: 'format', detail: `there are no operators for ${FLOAT8}; use QDQ` })
  }
  if (values.block_size > 0) {
    found.push({ parameter: 'block_size', detail: `${FLOAT8} has no blocks; use 0` })
  }
  return found
}

export const quantizeStatic = {
  description:
    'Integer weights and activations; the ranges of the activations are calibrated on a dataset.',
  takes: ['trainable', 'folded'],
  gives: 'integer',
  makes: ['integer', FLOAT8],
  parameters,
  contradictions,
} as const satisfies StepSpec
