import type { StepSpec } from '../language/parameter.js'
import { quantizationScope } from './scope.js'

export const NARROW_TYPES = ['float16', 'bfloat16'] as const
export type NarrowType = (typeof NARROW_TYPES)[number]

/** What happens to an op with a constant beyond the narrow type's range. */
export const OVERFLOW_POLICIES = ['auto', 'clamp', 'keep_float32'] as const
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number]

export const convertFloat16 = {
  description:
    'Weights and arithmetic in float16 or bfloat16. Halves the file; faster only where the runtime has kernels for it.',
  takes: ['trainable', 'folded'],
  gives: 'float16',
  keepsFloat16: true,
  makes: NARROW_TYPES,
  parameters: {
    float_type: {
      type: 'choice',
      choices: NARROW_TYPES,
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
      choices: OVERFLOW_POLICIES,
      default: 'auto',
      description:
        'Constants beyond the range of float16: clamp them, or keep the operators that read them in float32; auto clamps stand-ins for infinity and keeps the others.',
    },
    op_block_list: {
      type: 'string_list',
      default: [],
      description: 'Operator types that stay float32, besides those that are not safe in float16.',
    },
    nodes_to_exclude: quantizationScope.nodes_to_exclude,
  },
} as const satisfies StepSpec
