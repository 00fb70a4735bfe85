import type { Contradiction, ParameterTable, StepSpec } from '../language/parameter.js'
import type { ParameterValues } from '../language/parameter-value.js'

/** `N:M`: of each M weights in a row along the summed dimension, at most N are not zero. */
const PRUNING_PATTERNS = ['unstructured', '2:4', '1:4', '4:8', '2:8', '1:8', '1:2', '8:16'] as const

export const PRUNING_SCOPES = ['adaptive', 'global', 'layer'] as const
export type PruningScope = (typeof PRUNING_SCOPES)[number]

/** Operators whose constant weights can be pruned; the recurrent ones only by request. */
export const PRUNABLE_OP_TYPES = [
  'Conv',
  'ConvTranspose',
  'Gemm',
  'MatMul',
  'GRU',
  'LSTM',
  'RNN',
] as const
export type PrunableOpType = (typeof PRUNABLE_OP_TYPES)[number]

/** A pattern of N:M fixes the sparsity, and a threshold is another way to say which weights go. */
function isSparsityFixed({ threshold, pattern }: Readonly<Record<string, unknown>>): boolean {
  return threshold !== undefined || (pattern !== undefined && pattern !== 'unstructured')
}

const parameters = {
  sparsity: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.5,
    defaultRange: { from: 0.3, to: 0.95 },
    furtherBy: 'rising',
    unless: isSparsityFixed,
    description:
      'Which part of the weights becomes zero. 0.5 where neither a threshold nor a pattern of N:M is given; inside repeat it rises from 0.3 to 0.95.',
  },
  threshold: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1e6,
    optional: true,
    furtherBy: 'rising',
    description: 'Instead of sparsity: weights of a smaller magnitude become zero.',
  },
  scope: {
    type: 'choice',
    choices: PRUNING_SCOPES,
    default: 'adaptive',
    description:
      'How sparsity is spread over the layers, each of which loses its smallest weights. adaptive: as much from each as costs it least (LAMP); global: the smallest weights of the whole model; layer: the same part of each.',
  },
  pattern: {
    type: 'choice',
    choices: PRUNING_PATTERNS,
    default: 'unstructured',
    description:
      'Where the zeros are: anywhere (unstructured), or at least M - N of each M weights in a row along the input channels (N:M), as hardware with sparse kernels expects.',
  },
  criterion: {
    type: 'choice',
    choices: ['magnitude'],
    default: 'magnitude',
    description: 'Which weights matter least: those of the smallest magnitude.',
  },
  op_types_to_prune: {
    type: 'string_list',
    choices: PRUNABLE_OP_TYPES,
    default: [],
    description:
      'ONNX operator types whose weights may be pruned; empty: Conv, ConvTranspose, Gemm and MatMul; those of recurrent layers by request.',
  },
  nodes_to_exclude: {
    type: 'string_list',
    default: [],
    description: 'Names of nodes that keep all their weights.',
  },
} as const satisfies ParameterTable

type Values = ParameterValues<typeof parameters, boolean>

function contradictions({ sparsity, threshold, pattern }: Values): readonly Contradiction[] {
  const found: Contradiction[] = []
  if (pattern !== 'unstructured') {
    const detail = `the pattern ${pattern} fixes how many weights become zero; leave it out`
    if (sparsity !== undefined) found.push({ parameter: 'sparsity', detail })
    if (threshold !== undefined) found.push({ parameter: 'threshold', detail })
  } else if (sparsity !== undefined && threshold !== undefined) {
    const detail = 'sparsity and threshold say the same in two ways; keep one of the two'
    found.push({ parameter: 'threshold', detail })
  }
  return found
}

export const pruneWeights = {
  description:
    'Sets the least important weights to zero. The file gets smaller when it is compressed; a runtime without sparse kernels does not get faster.',
  takes: ['trainable', 'folded'],
  gives: 'same',
  keepsFloat16: true,
  makes: ['pruned'],
  shown: ['sparsity', 'threshold', 'pattern'],
  parameters,
  contradictions,
} as const satisfies StepSpec
