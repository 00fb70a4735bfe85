// Questions about one node, answered from its row.
import type { Node } from '@pare/graph'

import { microsoftOpTable } from './microsoft-op-table.js'
import type { OpFacts, ShapeOf } from './op-facts.js'
import { opTable } from './op-table.js'
import {
  isMicrosoftOpType,
  MICROSOFT_DOMAIN,
  microsoftOpRow,
  type OpName,
  opRow,
  type OpTable,
} from './op-types/op-tables.js'
import { OP_VERSIONS } from './op-types/op-versions.js'

/** The row of a node's operator; undefined for an operator the tables do not know. */
export function opFacts(node: OpName): OpFacts | undefined {
  return opRow<OpFacts>(opTable, node) ?? microsoftOpRow<OpFacts>(microsoftOpTable, node)
}

const VERSIONS: OpTable<readonly number[]> = OP_VERSIONS

/** The version of an op's definition that a model of this opset uses; undefined before it existed. */
export function sinceVersion(node: OpName, opset: number): number | undefined {
  if (node.domain === MICROSOFT_DOMAIN) return isMicrosoftOpType(node.opType) ? 1 : undefined
  return opRow(VERSIONS, node)?.findLast((version) => version <= opset)
}

export interface LayerWeight {
  /** Index of the node's input. */
  readonly input: number
  /** Axis of the weight with the output channels. */
  readonly outChannelAxis: number
  /** Axis of the weight that is summed over. */
  readonly inChannelAxis: number
}

/** Where a layer's weight is and how it lies; undefined for ops without one. */
export function layerWeight(node: Node, weightRank: number): LayerWeight | undefined {
  const facts = opFacts(node)
  if (facts?.weightInput === undefined) return undefined
  return {
    input: facts.weightInput,
    outChannelAxis: facts.outChannelAxis?.(node, weightRank) ?? 0,
    inChannelAxis: facts.inChannelAxis?.(node, weightRank) ?? 1,
  }
}

/** Whether 8-bit data passes through the node unchanged when both sides share scale and zero point. */
export function sharesQuantization(node: OpName, opset: number): boolean {
  const since = opFacts(node)?.sharesQuantization
  return since !== undefined && opset >= since
}

/** Whether onnxruntime's CPU kernels neither compute the op in integers nor pass 8 bits through. */
export function isNeverInteger(node: OpName, opset: number): boolean {
  return opFacts(node)?.integerKernel === undefined && !sharesQuantization(node, opset)
}

/** Multiply-accumulates of one run of the node; 0 for ops without any, undefined when a shape is missing. */
export function macsOf(node: Node, shapeOf: ShapeOf): number | undefined {
  const facts = opFacts(node)
  return facts?.macs === undefined ? 0 : facts.macs(node, shapeOf)
}

/** Whether the same inputs give the same outputs. Unknown operators are taken to. */
export function isDeterministic(node: OpName): boolean {
  return opFacts(node)?.nondeterministic !== true
}
