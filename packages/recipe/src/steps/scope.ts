// Parameters that more than one step has.
import type { ParameterSpec, ParameterTable } from '../language/parameter.js'

export const quantizationScope = {
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

export const calibrationSamples = {
  type: 'integer',
  minimum: 1,
  maximum: 1_000_000,
  default: 500,
  description:
    'Number of calibration samples to use, from the first; fewer if the dataset has fewer.',
} as const satisfies ParameterSpec

export const perChannel = {
  type: 'boolean',
  default: true,
  description: 'One scale per output channel of a weight instead of one per tensor.',
} as const satisfies ParameterSpec

export const reduceRange = {
  type: 'choice',
  choices: ['auto', true, false],
  default: 'auto',
  description:
    '7-bit weights, so that 16-bit accumulation on processors without VNNI cannot saturate; auto: only where saturation is possible on the target.',
} as const satisfies ParameterSpec
