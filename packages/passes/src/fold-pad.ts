// A Pad by zeros becomes part of the Conv or AveragePool after it. onnxruntime has no integer
// kernel for Pad, so between two quantized layers it would cost two conversions. Rules:
// 1. Mode constant, value 0, constant pads, none negative (that would crop), none on the batch or
//    channel axis.
// 2. Every reader of the padded value takes it as its data input, is a Conv or AveragePool with
//    explicit pads (auto_pad NOTSET or VALID), and the value is no graph output.
// 3. AveragePool must then count the padding: with count_include_pad 0 it may have no pads of its
//    own, and with ceil_mode 1 windows that leave the padded input would be averaged differently.
//    onnxruntime also wants every pad of a pool smaller than its kernel.
// 4. MaxPool ignores its padding, where Pad would offer a 0, so a Pad before it stays.
import {
  attr,
  defineRewrite,
  floatAttribute,
  type GraphEditor,
  type GraphIndex,
  intAttribute,
  intsAttribute,
  type Miss,
  miss,
  type Node,
  type Pass,
  rewritePass,
  stringAttribute,
} from '@pare/graph'
import { opSet } from '@pare/ops'
import { toIntegers, toNumbers } from '@pare/tensor'

export function foldPad(): Pass {
  return rewritePass(rule)
}

interface PadMatch {
  readonly node: Node
  /** Begin of each spatial axis, then end of each. */
  readonly pads: readonly number[]
  readonly readers: readonly Node[]
}

const rule = defineRewrite<PadMatch>({ name: 'fold_pad', opTypes: ['Pad'], match, rewrite })

function match(node: Node, index: GraphIndex): PadMatch | Miss | undefined {
  const output = node.outputs[0] ?? ''
  const readers = index.consumers(output)
  if (!readers.some((reader) => READERS.has(reader.opType))) return undefined
  if (index.isGraphOutput(output) || !readers.every((reader) => canTakePads(reader, output))) {
    return miss('pad_readers', 'not every reader of the padded value can pad by itself')
  }
  if (stringAttribute(node, 'mode', 'constant') !== 'constant' || !padsWithZero(node, index)) {
    return miss('pad_not_zero', 'Pad does not pad with a constant 0')
  }
  const pads = spatialPads(node, index)
  if (pads === undefined) {
    return miss('pad_not_spatial', 'Pad is not a constant padding of the spatial axes')
  }
  if (!readers.every((reader) => spatialRank(reader, index) === pads.length / 2)) {
    return miss('pad_rank', 'Pad and its reader have another number of spatial axes')
  }
  if (!readers.every((reader) => reader.opType === 'Conv' || fitsKernel(reader, pads))) {
    return miss('pad_exceeds_kernel', 'the pool would pad by its kernel or more')
  }
  return { node, pads, readers }
}

function rewrite({ node, pads, readers }: PadMatch, editor: GraphEditor): void {
  for (const reader of readers) {
    const attributes = new Map(reader.attributes)
    attributes.set('pads', attr.ints(joinedPads(reader, pads)))
    attributes.delete('auto_pad')
    if (reader.opType === 'AveragePool') attributes.set('count_include_pad', attr.int(1))
    editor.updateNode(reader, { attributes })
  }
  editor.replaceUses(node.outputs[0]!, node.inputs[0]!)
  editor.removeNode(node)
}

const READERS = opSet('AveragePool', 'Conv')

function canTakePads(reader: Node, value: string): boolean {
  if (reader.domain !== '' || !READERS.has(reader.opType)) return false
  if (reader.inputs.indexOf(value) !== 0 || reader.inputs.lastIndexOf(value) !== 0) return false
  const autoPad = stringAttribute(reader, 'auto_pad', 'NOTSET')
  if (autoPad !== 'NOTSET' && autoPad !== 'VALID') return false
  if (reader.opType === 'Conv') return true
  const hasPads = intsAttribute(reader, 'pads', []).some((pad) => pad !== 0)
  if (intAttribute(reader, 'ceil_mode', 0) !== 0) return false
  return !hasPads || intAttribute(reader, 'count_include_pad', 0) === 1
}

function joinedPads(reader: Node, pads: readonly number[]): readonly number[] {
  const own = intsAttribute(reader, 'pads', [])
  return pads.map((pad, i) => pad + (own[i] ?? 0))
}

function fitsKernel(pool: Node, pads: readonly number[]): boolean {
  const kernel = intsAttribute(pool, 'kernel_shape', [])
  return joinedPads(pool, pads).every((pad, i) => pad < (kernel[i % kernel.length] ?? 0))
}

function padsWithZero(node: Node, index: GraphIndex): boolean {
  const input = node.inputs[2] ?? ''
  if (input === '') return floatAttribute(node, 'value', 0) === 0
  const value = index.constant(input)
  return value !== undefined && Number(toNumbers(value)[0]) === 0
}

/** Pads of the axes from 2 on; undefined when not constant, negative, or on the first two axes. */
function spatialPads(node: Node, index: GraphIndex): readonly number[] | undefined {
  if ((node.inputs[3] ?? '') !== '') return undefined
  const tensor = index.constant(node.inputs[1] ?? '')
  const pads = tensor === undefined ? intsAttribute(node, 'pads') : toIntegers(tensor)
  if (pads === undefined || pads.some((pad) => pad < 0)) return undefined
  const rank = pads.length / 2
  const [begin, end] = [pads.slice(0, rank), pads.slice(rank)]
  const isOuter = (pad: number, axis: number) => axis < 2 && pad !== 0
  if (begin.some(isOuter) || end.some(isOuter)) return undefined
  return [...begin.slice(2), ...end.slice(2)]
}

function spatialRank(reader: Node, index: GraphIndex): number {
  const kernel = intsAttribute(reader, 'kernel_shape')
  return kernel?.length ?? (index.constant(reader.inputs[1] ?? '')?.dims.length ?? 2) - 2
}
