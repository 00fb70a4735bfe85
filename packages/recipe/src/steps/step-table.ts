import type { ParameterSpec, ParameterTable, StepSpec } from '../language/parameter.js'

const quantizationScope = {
  op_types_to_quantize: {
    type: 'string_list',
    default: [],
    description:
      'ONNX operator types that may be quantized; empty: all that onnxruntime runs in integers.',
  },
  nodes_to_exclude: {
    type: 'string_list',
    default: [],
    description: 'Names of nodes that stay in float.',
  },
} as const satisfies ParameterTable

const calibrationSamples = {
  type: 'integer',
  minimum: 1,
  maximum: 1_000_000,
  default: 500,
  description:
    'Number of calibration samples to use, from the first; fewer if the dataset has fewer.',
} as const satisfies ParameterSpec

const reduceRange = {
  type: 'choice',
  choices: ['auto', true, false],
  default: 'auto',
  description:
    '7-bit weights, so that 16-bit accumulation on processors without VNNI cannot saturate; auto: only where saturation is possible on the target.',
} as const satisfies ParameterSpec

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
    choices: ['auto', 'fast', 'full', 'none'],
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

/** Every step that a recipe may hold, in alphabetical order. */
export const STEP_TABLE = {
  convert_float16: {
    description:
      'Weights and arithmetic in float16 or bfloat16. Halves the file; faster only where the runtime has kernels for it.',
    parameters: {
      float_type: {
        type: 'choice',
        choices: ['float16', 'bfloat16'],
        default: 'float16',
        description:
          'bfloat16 has the range of float32 and 8 bits of precision; onnxruntime refuses to load it on a CPU, so a job for a CPU fails with narrow_type_unsupported.',
      },
      keep_io_types: {
        type: 'boolean',
        default: true,
        description:
          'Inputs and outputs stay as they are, with a Cast each; false: float32 ones become float16, and whoever calls the model must feed float16.',
      },
      overflow: {
        type: 'choice',
        choices: ['auto', 'clamp', 'keep_float32'],
        default: 'auto',
        description:
          'Constants beyond the range of float16: clamp them, or keep the operators that read them in float32; auto clamps stand-ins for infinity and keeps the others.',
      },
      op_block_list: {
        type: 'string_list',
        default: [],
        description:
          'Operator types that stay float32, besides those that are not safe in float16.',
      },
      nodes_to_exclude: quantizationScope.nodes_to_exclude,
    },
  },
  quantize_dynamic: {
    description:
      'Integer weights; activations are quantized at run time from their own range. Needs no calibration data.',
    parameters: {
      weight_type: {
        type: 'choice',
        choices: ['int8'],
        default: 'int8',
        description: 'Integer type of the weights.',
      },
      per_channel: {
        type: 'boolean',
        default: true,
        description: 'One scale per output channel of a weight instead of one per tensor.',
      },
      reduce_range: reduceRange,
      op_types_to_quantize: {
        type: 'string_list',
        default: [],
        description:
          'Operator types that may be quantized; empty: MatMul, Gemm, LSTM, Attention and Gather. Conv, GRU and RNN by request: they become smaller and slower.',
      },
      nodes_to_exclude: quantizationScope.nodes_to_exclude,
    },
  },
  quantize_static: {
    description:
      'Integer weights and activations; the ranges of the activations are calibrated on a dataset.',
    parameters: {
      calibration: {
        type: 'group',
        description: 'How activation ranges are found.',
        parameters: {
          method: {
            type: 'choice',
            choices: ['minmax', 'moving_average', 'percentile', 'entropy', 'mse', 'auto'],
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
        choices: ['uint8', 'int8', 'uint16', 'int16', 'float8e4m3fn'],
        default: 'uint8',
        description:
          'Type of the activations. float8e4m3fn, for GPUs only and with weights of the same type, raises the opset to 19. 16 bits lose nearly nothing but bring no CPU speed-up: onnxruntime has no kernels for them there; they need format QDQ and raise the opset to 21.',
      },
      weight_type: {
        type: 'choice',
        choices: ['int8', 'uint8', 'int16', 'float8e4m3fn'],
        default: 'int8',
        description:
          'Type of the weights: int8, symmetric; uint8, with zero points (but for a Conv with a scale per channel) and never saturating, but about half as fast on processors with VNNI, not with int8 activations; int16, symmetric, only with 16-bit activations; float8e4m3fn, only with activations of the same type.',
      },
      per_channel: {
        type: 'boolean',
        default: true,
        description: 'One scale per output channel of a weight instead of one per tensor.',
      },
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
        choices: ['QDQ', 'QOperator'],
        default: 'QDQ',
        description:
          'How the quantized graph is written: QuantizeLinear and DequantizeLinear around float operators, which runtimes fuse (QDQ), or operators on integers such as QLinearConv, fast in onnxruntime without any fusion (QOperator; with int8 activations slow on x86).',
      },
      ...accuracyAlgorithms,
      ...quantizationScope,
    },
  },
  quantize_weights: {
    description:
      'Weights alone in 8, 4 or 2 bits, in blocks; activations stay float. Makes large layers small; on a CPU it may be slower.',
    parameters: {
      bits: {
        type: 'choice',
        choices: [8, 4, 2],
        default: 4,
        description: 'Bits of a weight; 2 needs the format MatMulNBits.',
      },
      block_size: {
        type: 'choice',
        choices: [16, 32, 64, 128, 256],
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
        choices: ['MatMulNBits', 'QDQ'],
        default: 'MatMulNBits',
        description:
          'MatMulNBits: kernels of onnxruntime that never expand the weights; QDQ: standard operators of opset 21.',
      },
      algorithm: {
        type: 'choice',
        choices: ['rtn', 'hqq', 'gptq', 'awq'],
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
    },
  },
} as const satisfies Record<string, StepSpec>

export type StepType = keyof typeof STEP_TABLE

export const STEP_TYPES = Object.keys(STEP_TABLE) as readonly StepType[]
