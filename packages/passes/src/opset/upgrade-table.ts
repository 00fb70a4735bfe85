// Every change of an operator's definition from opset 7 to NEWEST_OPSET that is not compatible, by
// operator and version. Versions of OP_VERSIONS that are not listed here only widened types or added
// optional inputs and attributes whose default is the old meaning.
import { attr, intAttribute, type Node, stringAttribute } from '@pare/graph'
import type { OpTable } from '@pare/ops'

import {
  clipToInputs,
  intsToInput,
  padToInputs,
  sliceToInputs,
  topKToInput,
  upsampleToInput,
} from './attribute-to-input.js'
import { resizeToCoordinates, resizeWithoutTfHalfPixel, upsampleToResize } from './resize.js'
import { softmaxToOneAxis } from './softmax.js'
import { refuse, type Upgrade, type UpgradeContext, withAttributes } from './upgrade.js'

/** The oldest opset for which this table was written. */
export const OLDEST_OPSET = 7

const axesToInput = intsToInput('axes', 1)

export const upgradeTable: OpTable<Readonly<Record<number, Upgrade>>> = {
  AveragePool: { 19: averagePoolTo19 },
  BatchNormalization: { 9: batchNormTo9, 14: batchNormTo14 },
  Clip: { 11: clipToInputs },
  DFT: { 20: () => refuse('its axis became an input with another default') },
  Dropout: {
    10: dropoutTo10,
    // The ratio only matters in training, which is off unless input 2 says so.
    12: (node) => [withAttributes(node, { ratio: undefined })],
  },
  GridSample: { 20: gridSampleTo20 },
  GroupNormalization: { 21: () => refuse('its scale and bias became one per channel') },
  Hardmax: { 13: softmaxToOneAxis },
  LogSoftmax: { 13: softmaxToOneAxis },
  Pad: { 11: padToInputs },
  ReduceL1: { 18: axesToInput },
  ReduceL2: { 18: axesToInput },
  ReduceLogSum: { 18: axesToInput },
  ReduceLogSumExp: { 18: axesToInput },
  ReduceMax: { 18: axesToInput },
  ReduceMean: { 18: axesToInput },
  ReduceMin: { 18: axesToInput },
  ReduceProd: { 18: axesToInput },
  ReduceSum: { 13: axesToInput },
  ReduceSumSquare: { 18: axesToInput },
  Resize: { 11: resizeToCoordinates, 13: resizeWithoutTfHalfPixel },
  RoiAlign: {
    16: (node) => [
      withAttributes(node, { coordinate_transformation_mode: attr.string('output_half_pixel') }),
    ],
  },
  Scan: { 9: () => refuse('its batch axis was removed') },
  Scatter: { 11: (node) => [{ ...node, opType: 'ScatterElements' }] },
  Slice: { 10: sliceToInputs },
  Softmax: { 13: softmaxToOneAxis },
  Split: { 13: intsToInput('split', 1), 18: splitTo18 },
  Squeeze: { 13: axesToInput },
  TopK: { 10: topKToInput },
  Unsqueeze: { 13: axesToInput },
  Upsample: { 9: upsampleToInput, 10: upsampleToResize },
}

/** Where windows may leave the padded input, opset 19 corrected what they are divided by. */
function averagePoolTo19(node: Node): ReturnType<Upgrade> {
  return intAttribute(node, 'ceil_mode', 0) === 1 &&
    intAttribute(node, 'count_include_pad', 0) === 1
    ? refuse('it has ceil_mode and count_include_pad, whose meaning opset 19 changed')
    : [node]
}

function batchNormTo9(node: Node): ReturnType<Upgrade> {
  return intAttribute(node, 'spatial', 1) === 1
    ? [withAttributes(node, { spatial: undefined })]
    : refuse('it normalizes every position by itself (spatial 0), which opset 9 no longer has')
}

/** Before 14, outputs beyond the first meant training. */
function batchNormTo14(node: Node, context: UpgradeContext): ReturnType<Upgrade> {
  return node.outputs.slice(1).some((output) => context.isUsed(output))
    ? refuse('its statistics are read')
    : [{ ...node, outputs: node.outputs.slice(0, 1) }]
}

/** The mask became boolean. */
function dropoutTo10(node: Node, context: UpgradeContext): ReturnType<Upgrade> {
  return context.isUsed(node.outputs[1] ?? '')
    ? refuse('its mask is read, and its type changed')
    : [{ ...node, outputs: node.outputs.slice(0, 1) }]
}

function gridSampleTo20(node: Node): ReturnType<Upgrade> {
  const names: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' }
  const mode = stringAttribute(node, 'mode', 'bilinear')
  return [withAttributes(node, { mode: attr.string(names[mode] ?? mode) })]
}

/** Without sizes, equal parts: their number must now be said. */
function splitTo18(node: Node): ReturnType<Upgrade> {
  return (node.inputs[1] ?? '') !== ''
    ? [node]
    : [withAttributes(node, { num_outputs: attr.int(node.outputs.length) })]
}
