// Weight sharing: the weights of a layer take a few values. Shapes, names and nodes stay, and so do zeros:
// what was pruned stays pruned.
import { type Diagnostic, mapTensors, type Model, type Node, nodeLabel } from '@pare/graph'
import { type LayerDecision, STEP_TABLE, type WhyNot, whyNot } from '@pare/recipe'
import { type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

import { clusterValues } from './cluster-values.js'
import { keptDiagnostic } from './decision.js'
import { errors } from './errors.js'
import { byLayer, findWeights, type Weight } from './find-weights.js'
import { type PruneWeightsOptions, resolveLayerScope } from './options.js'

/** Default op types: those of `pruneWeights`. */
export interface ClusterWeightsOptions extends Pick<
  PruneWeightsOptions,
  'opTypes' | 'nodesToExclude'
> {
  /** How many values each weight takes at most, 2 to 256, 0 among them where it has zeros. Default 16. */
  readonly clusters?: number
}

export interface ClusteredWeight {
  /** The initializer. */
  readonly name: string
  readonly elements: number
  /** How many of them are different; counted no further where the weight stays as it is. */
  readonly values?: number
  /** Norm of the change by the norm of the weight; 0 where it stays as it is. */
  readonly relativeError: number
}

/** One node with a weight. Plain JSON. */
export interface ClusteredLayer extends LayerDecision<'clustered' | 'kept'> {
  /** The weights that were considered: W and R of a recurrent layer, one of others, none if excluded. */
  readonly weights: readonly ClusteredWeight[]
}

export interface ClusterWeightsResult {
  readonly model: Model
  /** One per node with a constant weight, in the order of the nodes, those of bodies too. */
  readonly layers: readonly ClusteredLayer[]
  readonly diagnostics: readonly Diagnostic[]
}

const { clusters: CLUSTERS } = STEP_TABLE.cluster_weights.parameters

/**
 * Replaces each weight by the mean of its cluster, found in the weight alone (`cluster-values.ts`); in
 * float16 and bfloat16 the mean is rounded. Zeros stay zero. A weight that takes no more values already,
 * or holds NaN or infinities, stays, and the model shares it.
 *
 * Throws `pruning_options_invalid`, and `pruning_not_applicable` where there is no weight to look at.
 */
export function clusterWeights(
  model: Model,
  options: ClusterWeightsOptions = {},
): ClusterWeightsResult {
  const { clusters = CLUSTERS.default } = options
  const { minimum, maximum } = CLUSTERS
  if (!(Number.isInteger(clusters) && clusters >= minimum && clusters <= maximum)) {
    throw errors.pruning_options_invalid(`clusters is an integer from ${minimum} to ${maximum}`)
  }
  const scope = { ...resolveLayerScope(options), alongSummedAxis: false }
  const { weights, layers, kept } = findWeights(model.graph, scope)
  const clustered = weights.map((weight) => cluster(weight, clusters))
  const changed = new Map(clustered.map(({ weight, tensor }) => [weight.tensor, tensor]))
  const byNode = byLayer(clustered)
  const rows = layers.map((node) => row(node, byNode.get(node) ?? [], kept.get(node)))
  return {
    model: mapTensors(model, (tensor) => changed.get(tensor) ?? tensor),
    layers: rows,
    diagnostics: layers.flatMap((node, at) => {
      const { reason, message } = rows[at]!
      return reason === undefined ? [] : [keptDiagnostic(node, whyNot(reason, message))]
    }),
  }
}

interface Clustered {
  readonly weight: Weight
  /** The weight's own tensor where it stays, and why. */
  readonly tensor: Tensor
  readonly stays?: WhyNot
  readonly row: ClusteredWeight
}

function cluster(weight: Weight, clusters: number): Clustered {
  const { name, tensor } = weight
  const before = toFloat32(tensor)
  const untouched = { name, elements: before.length, relativeError: 0 }
  if (!before.every((value) => Number.isFinite(value))) {
    return { weight, tensor, stays: whyNot('weight_not_finite'), row: untouched }
  }
  const means = clusterValues(before, clusters)
  if (means === undefined) {
    const stays = whyNot('not_smaller', `its weights take no more than ${clusters} values already`)
    return { weight, tensor, stays, row: untouched }
  }
  const made = tensorFromFloats(tensor.dataType, tensor.dims, means)
  const after = toFloat32(made)
  return {
    weight,
    tensor: { ...tensor, data: made.data },
    row: { ...untouched, values: new Set(after).size, relativeError: errorOf(before, after) },
  }
}

/** Of weights that are not all 0. */
function errorOf(before: Float32Array, after: Float32Array): number {
  let [change, whole] = [0, 0]
  for (let i = 0; i < before.length; i++) {
    change += (before[i]! - after[i]!) ** 2
    whole += before[i]! ** 2
  }
  return Math.sqrt(change / whole)
}

function row(node: Node, own: readonly Clustered[], kept: WhyNot | undefined): ClusteredLayer {
  const isClustered = own.some(({ stays }) => stays === undefined)
  return {
    ...{ node: nodeLabel(node), opType: node.opType, output: node.outputs[0]! },
    decision: isClustered ? 'clustered' : 'kept',
    ...(isClustered ? {} : (kept ?? own[0]?.stays)),
    weights: own.map((one) => one.row),
  }
}
