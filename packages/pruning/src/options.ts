import type { OpType } from '@pare/ops'
import {
  PRUNABLE_OP_TYPES,
  type PrunableOpType,
  PRUNING_SCOPES,
  type PruningScope,
  STEP_TABLE,
} from '@pare/recipe'

import { errors } from './errors.js'

export interface PruneWeightsOptions {
  /** Share of the weights that are 0 afterwards, 0 ≤ sparsity < 1. Default 0.5. */
  readonly sparsity?: number
  /** Instead of `sparsity`: weights with |w| below it become 0. */
  readonly threshold?: number
  /**
   * How `sparsity` is spread over the layers, each of which loses its smallest weights. `adaptive`
   * (default): by what each loses with them (`spread-adaptively.ts`); `global`: the smallest weights of
   * all layers; `layer`: the same share of each.
   */
  readonly scope?: PruningScope
  /**
   * `unstructured` (default), or N:M: of each M consecutive weights along the summed axis at most N
   * stay (2:4 is what NVIDIA's sparse tensor cores read). It sets the sparsity itself: neither
   * `sparsity` nor `threshold` may stand beside it.
   */
  readonly pattern?: string
  /** Default Conv, ConvTranspose, Gemm and MatMul. */
  readonly opTypes?: readonly string[]
  /** Names (or first outputs) of nodes that stay as they are. */
  readonly nodesToExclude?: readonly string[]
}

/** At most `kept` of `of` consecutive weights stay. */
export interface KeptOf {
  readonly kept: number
  readonly of: number
}

/** Which weights fall. */
export type Criterion =
  | { readonly kind: 'sparsity'; readonly sparsity: number; readonly scope: PruningScope }
  | { readonly kind: 'threshold'; readonly threshold: number }
  | ({ readonly kind: 'pattern'; readonly pattern: string } & KeptOf)

/** Which layers' weights are considered. */
export interface LayerScope {
  readonly opTypes: readonly PrunableOpType[]
  readonly nodesToExclude: readonly string[]
}

export interface ResolvedPruneOptions extends LayerScope {
  readonly criterion: Criterion
}

const { parameters } = STEP_TABLE.prune_weights

export const PRUNE_WEIGHTS_DEFAULTS = {
  sparsity: parameters.sparsity.default,
  scope: parameters.scope.default,
  pattern: parameters.pattern.default,
  opTypes: ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'],
  nodesToExclude: parameters.nodes_to_exclude.default,
} as const satisfies PruneWeightsOptions

/** Longest group of a pattern: longer ones hardly differ from unstructured. */
const MAX_GROUP = 64

/** Fills in the defaults. Throws `pruning_options_invalid`. */
export function resolvePruneOptions(options: PruneWeightsOptions): ResolvedPruneOptions {
  return { criterion: criterionOf(options), ...resolveLayerScope(options) }
}

/** Fills in the defaults. Throws `pruning_options_invalid`. */
export function resolveLayerScope(
  options: Pick<PruneWeightsOptions, 'opTypes' | 'nodesToExclude'>,
): LayerScope {
  const opTypes = options.opTypes ?? PRUNE_WEIGHTS_DEFAULTS.opTypes
  const unknown = opTypes.find((type) => !isPrunable(type))
  if (unknown !== undefined) {
    throw invalid(`opTypes ${unknown} is not one of ${PRUNABLE_OP_TYPES.join(', ')}`)
  }
  return {
    opTypes: opTypes.filter(isPrunable),
    nodesToExclude: options.nodesToExclude ?? PRUNE_WEIGHTS_DEFAULTS.nodesToExclude,
  }
}

export function isPrunable(opType: string): opType is PrunableOpType {
  const known: readonly OpType[] = PRUNABLE_OP_TYPES
  return known.some((prunable) => prunable === opType)
}

function criterionOf(options: PruneWeightsOptions): Criterion {
  const { sparsity, threshold, pattern = PRUNE_WEIGHTS_DEFAULTS.pattern } = options
  const { scope = PRUNE_WEIGHTS_DEFAULTS.scope } = options
  if (!PRUNING_SCOPES.includes(scope)) {
    throw invalid(`scope ${scope} is not one of ${PRUNING_SCOPES.join(', ')}`)
  }
  if (pattern !== 'unstructured') {
    if (sparsity === undefined && threshold === undefined) {
      return { kind: 'pattern', pattern, ...parsePattern(pattern) }
    }
    throw invalid(`pattern ${pattern} sets the sparsity itself: leave out sparsity and threshold`)
  }
  if (threshold !== undefined) {
    if (sparsity !== undefined) throw invalid('give either sparsity or threshold')
    if (!(threshold >= 0 && threshold < Infinity)) {
      throw invalid('threshold is a finite number, 0 or greater')
    }
    return { kind: 'threshold', threshold }
  }
  const share = sparsity ?? PRUNE_WEIGHTS_DEFAULTS.sparsity
  if (!(share >= 0 && share < 1)) throw invalid('sparsity is a fraction from 0 to below 1')
  return { kind: 'sparsity', sparsity: share, scope }
}

/** `2:4` → 2 of 4. Throws `pruning_options_invalid`. */
function parsePattern(pattern: string): KeptOf {
  const [, n, m] = /^(\d{1,2}):(\d{1,2})$/.exec(pattern) ?? []
  const [kept, of] = [Number(n), Number(m)]
  if (kept >= 1 && kept < of && of <= MAX_GROUP) return { kept, of }
  throw invalid(
    `pattern ${pattern} is neither unstructured nor N:M with 1 ≤ N < M ≤ ${MAX_GROUP}, such as 2:4`,
  )
}

function invalid(message: string) {
  return errors.pruning_options_invalid(message)
}
