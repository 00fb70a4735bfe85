// Magnitude pruning: the weights that are closest to 0 become 0. Shapes, names and nodes stay, so that
// the model trains, quantizes and prunes on as before.
import { type Diagnostic, mapTensors, type Model, type Node, nodeLabel } from '@pare/graph'
import { type LayerDecision, type WhyNot, whyNot } from '@pare/recipe'
import { elementCount, storedArray, type Tensor, tensorFromStored, toFloat32 } from '@pare/tensor'

import { keptDiagnostic, note } from './decision.js'
import { byLayer, findWeights, type Weight } from './find-weights.js'
import { type Criterion, type PruneWeightsOptions, resolvePruneOptions } from './options.js'
import { fallingByPattern } from './select-pattern.js'
import {
  bitsOfFloats,
  cutBelow,
  cutSmallest,
  fallingAt,
  isFiniteBits,
  isZero,
} from './select-smallest.js'
import { spreadAdaptively } from './spread-adaptively.js'

/** How many weights there are, and how many of them are 0. */
export interface ZeroCount {
  readonly elements: number
  readonly zerosBefore: number
  readonly zerosAfter: number
  /** zerosAfter / elements. */
  readonly sparsity: number
}

export interface PrunedWeight extends ZeroCount {
  /** The initializer. */
  readonly name: string
}

/** One node with a weight. Plain JSON. */
export interface PrunedLayer extends LayerDecision<'pruned' | 'kept'> {
  /** The weights that were considered: W and R of a recurrent layer, one of others, none if excluded. */
  readonly weights: readonly PrunedWeight[]
}

export interface PruneWeightsResult {
  readonly model: Model
  /** One per node with a constant weight, in the order of the nodes, those of bodies too. */
  readonly layers: readonly PrunedLayer[]
  readonly diagnostics: readonly Diagnostic[]
  /** Of all considered weights, each counted once. */
  readonly total: ZeroCount
}

/**
 * Makes weights of layers 0: the smallest of them, those below a threshold, or a pattern (`options`).
 * With `sparsity` exactly round(sparsity · n) weights are 0 afterwards, those counted that were 0
 * before; among equal magnitudes the first fall. NaN and infinities stay. Weights of
 * layers that nothing prunes keep their initializers, and the model shares them.
 *
 * Reads external weights where they lie, up to four times each, and holds those it prunes.
 *
 * Throws `pruning_options_invalid`, and `pruning_not_applicable` where no weight can be pruned.
 */
export function pruneWeights(model: Model, options: PruneWeightsOptions = {}): PruneWeightsResult {
  const { criterion, ...scope } = resolvePruneOptions(options)
  const alongSummedAxis = criterion.kind === 'pattern'
  const { weights, layers, kept } = findWeights(model.graph, { ...scope, alongSummedAxis })
  const pruned = pruneAll(weights, criterion)
  const changed = new Map(pruned.map(({ weight, tensor }) => [weight.tensor, tensor]))
  const byNode = byLayer(pruned)
  const rows = layers.map((node) => row(node, byNode.get(node) ?? [], kept.get(node)))
  return {
    model: mapTensors(model, (tensor) => changed.get(tensor) ?? tensor),
    layers: rows.map(({ layer }) => layer),
    diagnostics: rows.flatMap(({ diagnostics }) => diagnostics),
    total: totalOf(pruned.map(({ count }) => count)),
  }
}

interface Pruned {
  readonly weight: Weight
  /** The weight's own tensor where nothing fell. */
  readonly tensor: Tensor
  readonly count: PrunedWeight
  readonly notFinite: number
}

function pruneAll(weights: readonly Weight[], criterion: Criterion): readonly Pruned[] {
  const falling = fallingOf(weights, criterion)
  return weights.map((weight) => {
    const bits = bitsOf(weight)
    return prune(weight, bits, falling(weight, bits))
  })
}

/** What falls of each weight; to be asked in the order of the weights. */
function fallingOf(
  weights: readonly Weight[],
  criterion: Criterion,
): (weight: Weight, bits: Uint32Array) => Uint8Array {
  switch (criterion.kind) {
    case 'pattern':
      return ({ summed }, bits) => fallingByPattern(bits, summed, criterion)
    case 'threshold': {
      const falling = fallingAt(cutBelow(criterion.threshold))
      return (_weight, bits) => falling(bits)
    }
    case 'sparsity': {
      const { sparsity, scope } = criterion
      const elements = weights.reduce((sum, { tensor }) => sum + elementCount(tensor.dims), 0)
      const count = Math.round(sparsity * elements)
      if (scope === 'global') {
        const falling = fallingAt(cutSmallest(() => eachBitsOf(weights), count))
        return (_weight, bits) => falling(bits)
      }
      const counts =
        scope === 'layer'
          ? weights.map(({ tensor }) => Math.round(sparsity * elementCount(tensor.dims)))
          : spreadAdaptively(eachBitsOf(weights), count)
      const ofWeight = new Map(weights.map((weight, i) => [weight, counts[i]!]))
      return (weight, bits) => fallingAt(cutSmallest(() => [bits], ofWeight.get(weight)!))(bits)
    }
  }
}

/** One weight after the other, so that external data is not held. */
function* eachBitsOf(weights: readonly Weight[]): Generator<Uint32Array> {
  for (const weight of weights) yield bitsOf(weight)
}

function bitsOf({ tensor }: Weight): Uint32Array {
  return bitsOfFloats(toFloat32(tensor))
}

function prune(weight: Weight, bits: Uint32Array, falls: Uint8Array): Pruned {
  let zerosBefore = 0
  let zerosAfter = 0
  let notFinite = 0
  for (let i = 0; i < bits.length; i++) {
    const wasZero = isZero(bits[i]!)
    if (wasZero) zerosBefore++
    if (wasZero || falls[i] === 1) zerosAfter++
    if (!isFiniteBits(bits[i]!)) notFinite++
  }
  const { name } = weight
  const count = { name, ...totalOf([{ elements: bits.length, zerosBefore, zerosAfter }]) }
  const tensor = zerosAfter > zerosBefore ? withZeros(weight.tensor, falls) : weight.tensor
  return { weight, tensor, count, notFinite }
}

/** Zeros all bits of an element: +0 in every float type. */
function withZeros(tensor: Tensor, falls: Uint8Array): Tensor {
  const stored = storedArray(tensor).slice()
  for (let i = 0; i < stored.length; i++) if (falls[i] === 1) stored[i] = 0
  return { ...tensor, data: tensorFromStored(tensor.dataType, tensor.dims, stored).data }
}

function row(
  node: Node,
  own: readonly Pruned[],
  kept: WhyNot | undefined,
): { readonly layer: PrunedLayer; readonly diagnostics: readonly Diagnostic[] } {
  const isPruned = own.some(({ count }) => count.zerosAfter > count.zerosBefore)
  const stay = isPruned ? undefined : (kept ?? noneFalls(own))
  const layer: PrunedLayer = {
    ...{ node: nodeLabel(node), opType: node.opType, output: node.outputs[0]! },
    decision: isPruned ? 'pruned' : 'kept',
    ...stay,
    weights: own.map(({ count }) => count),
  }
  const warnings = own.flatMap((one) => warningsOf(node, one))
  // Of a recurrent layer one weight may stay and the other fall.
  const why = [stay ?? kept].filter((one) => one !== undefined)
  return { layer, diagnostics: [...why.map((one) => keptDiagnostic(node, one)), ...warnings] }
}

function noneFalls(own: readonly Pruned[]): WhyNot {
  const hasZeros = own.some(({ count }) => count.zerosBefore > 0)
  return whyNot(
    'no_small_weights',
    hasZeros ? 'its zeros are enough already' : 'none of its weights falls',
  )
}

function warningsOf(node: Node, { count, notFinite }: Pruned): readonly Diagnostic[] {
  const warnings: Diagnostic[] = []
  const warn = (code: string, message: string) => {
    warnings.push(note(node, { severity: 'warning', code, message }))
  }
  if (notFinite > 0) {
    warn('weight_not_finite', `${notFinite} weights of ${count.name} are infinite or NaN, and stay`)
  }
  if (count.zerosAfter === count.elements && count.zerosBefore < count.elements) {
    warn('layer_emptied', `all weights of ${count.name} became 0: the layer passes nothing on`)
  }
  return warnings
}

function totalOf(counts: readonly Omit<ZeroCount, 'sparsity'>[]): ZeroCount {
  let [elements, zerosBefore, zerosAfter] = [0, 0, 0]
  for (const count of counts) {
    elements += count.elements
    zerosBefore += count.zerosBefore
    zerosAfter += count.zerosAfter
  }
  return { elements, zerosBefore, zerosAfter, sparsity: elements === 0 ? 0 : zerosAfter / elements }
}
