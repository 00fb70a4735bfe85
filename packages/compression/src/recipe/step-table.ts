import type { ParameterSpec, ParameterTable, StepSpec } from './parameter.js'

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

const reduceRange = {
  type: 'choice',
  choices: ['auto', true, false],
  default: 'auto',
  description:
    '7-bit weights, so that 16-bit accumulation on processors without VNNI cannot saturate; auto: only where saturation is possible on the target.',
} as const satisfies ParameterSpec

/** Every step that a recipe may hold, in alphabetical order. */
export const STEP_TABLE = {
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
      ...quantizationScope,
    },
  },
  quantize_static: {
    description:
      'Integer weights and activations; the ranges of the activations are calibrated on a dataset (QDQ format).',
    parameters: {
      calibration: {
        type: 'group',
        description: 'How activation ranges are found.',
        parameters: {
          method: {
            type: 'choice',
            choices: ['minmax'],
            default: 'minmax',
            description: 'Range estimator.',
          },
          samples: {
            type: 'integer',
            minimum: 1,
            maximum: 1_000_000,
            default: 500,
            description:
              'Number of calibration samples to use, from the first; fewer if the dataset has fewer.',
          },
        },
      },
      activation_type: {
        type: 'choice',
        choices: ['uint8', 'int8'],
        default: 'uint8',
        description: 'Integer type of the activations.',
      },
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
      symmetric: {
        type: 'boolean',
        default: false,
        description: 'Centre the ranges of the activations on zero.',
      },
      reduce_range: reduceRange,
      format: {
        type: 'choice',
        choices: ['QDQ'],
        default: 'QDQ',
        description: 'How the quantized graph is written.',
      },
      ...quantizationScope,
    },
  },
} as const satisfies Record<string, StepSpec>

export type StepType = keyof typeof STEP_TABLE

export const STEP_TYPES = Object.keys(STEP_TABLE) as readonly StepType[]
