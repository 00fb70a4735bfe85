import type { StepSpec } from '../language/parameter.js'
import { perChannel, quantizationScope, reduceRange } from './scope.js'

export const quantizeDynamic = {
  description:
    'Integer weights; activations are quantized at run time from their own range. Needs no calibration data.',
  takes: ['trainable', 'folded'],
  gives: 'integer',
  makes: ['integer'],
  parameters: {
    weight_type: {
      type: 'choice',
      choices: ['int8'],
      default: 'int8',
      description: 'Integer type of the weights.',
    },
    per_channel: perChannel,
    reduce_range: reduceRange,
    op_types_to_quantize: {
      type: 'string_list',
      default: [],
      description:
        'Operator types that may be quantized; empty: MatMul, Gemm, LSTM, Attention and Gather. Conv, GRU and RNN by request: they become smaller and slower.',
    },
    nodes_to_exclude: quantizationScope.nodes_to_exclude,
  },
} as const satisfies StepSpec
