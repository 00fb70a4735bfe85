// com.microsoft Attention becomes QAttention: the projection to queries, keys and values in integers,
// with one weight scale per column; the attention itself stays float.
import { type GraphIndex, intsAttribute, type Node } from '@pare/graph'
import { type WhyNot, whyNot } from '@pare/recipe'
import { elementCount, type Tensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { quantizeWeight } from '../integers/quantize-weight.js'
import { declareOutputs } from '../writing/microsoft-ops.js'
import { int8Tensor } from '../writing/written-constants.js'
import type { DynamicWriter, WrittenWeight } from './operand.js'

export interface AttentionLayer {
  readonly weightName: string
  /** [input, queries + keys + values] */
  readonly weight: Tensor
  readonly channels: number
}

/** Attention's inputs: x, weights, bias, mask, past, attention_bias, past_sequence_length. */
const [WEIGHT, BIAS, MASK, PAST, ATTENTION_BIAS, PAST_LENGTH] = [1, 2, 3, 4, 5, 6] as const

/** Attributes that QAttention has too. */
const SHARED_ATTRIBUTES: ReadonlySet<string> = new Set([
  'do_rotary',
  'mask_filter_value',
  'num_heads',
  'past_present_share_buffer',
  'scale',
  'unidirectional',
])

export function attentionLayer(node: Node, index: GraphIndex): AttentionLayer | WhyNot {
  const weightName = node.inputs[WEIGHT] ?? ''
  const weight = index.constant(weightName)
  if (weight === undefined) {
    return whyNot('weight_not_constant', 'its weight is computed, not an initializer')
  }
  if (weight.dataType !== 'float32' || weight.dims.length !== 2) {
    return whyNot('weight_not_float32', `its weight is ${weight.dataType}`)
  }
  if ((node.inputs[ATTENTION_BIAS] ?? '') !== '' || (node.inputs[PAST_LENGTH] ?? '') !== '') {
    return whyNot('gemm_form', 'QAttention has no attention_bias and no past_sequence_length')
  }
  const sizes = intsAttribute(node, 'qkv_hidden_sizes', [])
  if (new Set(sizes).size > 1) {
    return whyNot('gemm_form', 'QAttention wants queries, keys and values of one size')
  }
  return { weightName, weight, channels: weight.dims[1]! }
}

export function rewriteAttention(
  writer: DynamicWriter,
  node: Node,
  layer: AttentionLayer,
): WrittenWeight {
  const { weightName, weight } = writer.weight(`attention ${layer.weightName}`, () =>
    writeWeight(writer, layer),
  )
  const x = writer.operand(node.inputs[0]!, node)
  const input = (position: number) => node.inputs[position] ?? ''
  const bias = input(BIAS) === '' ? zeroBias(writer, layer) : input(BIAS)
  const { scalars } = writer
  const inputs = [
    ...[x.values, weightName, bias, x.scale, scalars.scales(weight.scales), input(MASK)],
    ...[x.zeroPoint, scalars.zeros(weight.scales.length), input(PAST)],
  ]
  writer.editor.replaceNode(node, {
    opType: 'QAttention',
    domain: 'com.microsoft',
    name: node.name,
    inputs: inputs.slice(0, inputs.findLastIndex((name) => name !== '') + 1),
    outputs: node.outputs,
    attributes: new Map([...node.attributes].filter(([name]) => SHARED_ATTRIBUTES.has(name))),
  })
  declareOutputs(writer.editor, node.outputs)
  return { weightName, weight }
}

function writeWeight(writer: DynamicWriter, { weight: tensor }: AttentionLayer): WrittenWeight {
  const axis = writer.perChannel ? 1 : undefined
  const weight = quantizeWeight(toFloat32(tensor), tensor.dims, { axis, range: writer.weightRange })
  return { weightName: writer.addInitializer('w', int8Tensor(tensor.dims, weight.data)), weight }
}

function zeroBias(writer: DynamicWriter, { channels }: AttentionLayer): string {
  const dims = [channels]
  const tensor = tensorFromFloat32(dims, new Float32Array(elementCount(dims)))
  return writer.weight(`zeros ${channels}`, () => writer.addInitializer('b', tensor))
}
