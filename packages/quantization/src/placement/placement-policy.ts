// The options and the statistics, as the placement asks for them.
import type { CalibrationStatistics } from '@pare/calibration'
import { indexGraph, type Model, type Node, nodeLabel, onnxOpset } from '@pare/graph'
import { opFacts, sharesQuantization } from '@pare/ops'
import { foldableActivation } from '@pare/passes'
import { type WhyNot, whyNot } from '@pare/recipe'

import type { RealRange } from '../integers/params.js'
import { hasIntegerKernels, neededOpset, type ResolvedStaticOptions } from '../static/options.js'
import type { PlacementPolicy } from './placement.js'

export type RangeOf = (value: string) => RealRange | undefined

export function placementPolicy(
  model: Model,
  options: ResolvedStaticOptions,
  rangeOf: RangeOf,
  countsCost = hasIntegerKernels(options),
): PlacementPolicy {
  const opset = onnxOpset(model)
  return {
    opset,
    forbids: (node) => forbids(node, options, opset),
    hasRange: (value) => rangeOf(value) !== undefined,
    widthOf: (value) => {
      const range = rangeOf(value)
      return range === undefined ? undefined : Math.max(range.max, 0) - Math.min(range.min, 0)
    },
    foldsClamps: !options.symmetric,
    countsCost,
  }
}

/**
 * While it is not known which values have ranges: every one may, and the opset is what it will be
 * raised to.
 */
export function observationPolicy(
  model: Model,
  options: ResolvedStaticOptions,
  countsCost: boolean,
): PlacementPolicy {
  const opset = Math.max(onnxOpset(model), neededOpset(options))
  return {
    opset,
    forbids: (node) => forbids(node, options, opset),
    hasRange: () => true,
    widthOf: () => undefined,
    foldsClamps: !options.symmetric,
    countsCost,
  }
}

function forbids(node: Node, options: ResolvedStaticOptions, opset: number): WhyNot | undefined {
  const needed = neededOpset(options)
  if (opset < needed) {
    return whyNot('opset_too_old', `the model's opset is ${opset}, ${needed} is needed`)
  }
  const { nodesToExclude } = options
  if (nodesToExclude.includes(nodeLabel(node))) {
    return whyNot('excluded_by_name', 'it is in nodes_to_exclude')
  }
  if (options.nodesToQuantize !== undefined && !options.nodesToQuantize.includes(node.name)) {
    return isArithmetic(node)
      ? whyNot('excluded_by_name', 'it is not in nodes_to_quantize')
      : undefined
  }
  const { opTypesToQuantize } = options
  if (opTypesToQuantize !== undefined && !opTypesToQuantize.includes(node.opType)) {
    return isArithmetic(node)
      ? whyNot('excluded_by_type', 'its type is not in op_types_to_quantize')
      : undefined
  }
  return undefined
}

/** Nodes that only move values are not what the lists are about. */
function isArithmetic(node: Node): boolean {
  return opFacts(node)?.integerKernel !== undefined
}

/**
 * The calibrated range of a value. Where it was not observed itself:
 * - a value that only moves what another holds (Reshape, MaxPool, …) has the other's range;
 * - a value that only a Relu or Clip reads has the range of what that lets through: the rest is cut
 *   off either way.
 */
export function calibratedRanges(model: Model, statistics: CalibrationStatistics): RangeOf {
  const index = indexGraph(model.graph)
  const opset = onnxOpset(model)
  const rangeOf = (value: string): RealRange | undefined => {
    const observed = statistics.tensors[value]
    if (observed !== undefined) return observed.state.range
    const activation = foldableActivation(value, index)
    if (activation !== undefined) return rangeOf(activation.output)
    const producer = index.producer(value)
    if (producer === undefined || !sharesQuantization(producer, opset)) return undefined
    return rangeOf(producer.inputs[0]!)
  }
  return (value) => softmaxRange(index.producer(value)) ?? rangeOf(value)
}

/** Softmax fills [0, 1] whatever the calibration data showed. */
function softmaxRange(producer: Node | undefined): RealRange | undefined {
  return producer?.opType === 'Softmax' && producer.domain === '' ? { min: 0, max: 1 } : undefined
}
