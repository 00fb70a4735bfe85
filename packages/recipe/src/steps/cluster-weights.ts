import type { StepSpec } from '../language/parameter.js'
import { PRUNABLE_OP_TYPES } from './prune-weights.js'

export const clusterWeights = {
  description:
    'Lets the weights of each layer share a few values. The file gets smaller when it is compressed, and no runtime gets faster. Weights that are zero stay zero.',
  takes: ['trainable', 'folded'],
  gives: 'same',
  keepsFloat16: true,
  makes: ['clustered'],
  shown: ['clusters'],
  parameters: {
    clusters: {
      type: 'integer',
      minimum: 2,
      maximum: 256,
      default: 16,
      furtherBy: 'falling',
      description:
        'How many different values the weights of a layer take at most; zero is one of them where there are zeros.',
    },
    op_types_to_cluster: {
      type: 'string_list',
      choices: PRUNABLE_OP_TYPES,
      default: [],
      description:
        'ONNX operator types whose weights may be clustered; empty: Conv, ConvTranspose, Gemm and MatMul; those of recurrent layers by request.',
    },
    nodes_to_exclude: {
      type: 'string_list',
      default: [],
      description: 'Names of nodes that keep all their weights.',
    },
  },
} as const satisfies StepSpec
