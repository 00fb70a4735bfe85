// Gemm computes alpha · A · B + beta · C. Quantizers and integer kernels overlook alpha and beta
// (wrong results with today's tools), so both move into the constants. Rules:
// 1. alpha ≠ 1 goes into B, or into A, whichever is a constant of a float type.
// 2. beta ≠ 1 goes into C when that is constant; without C, beta means nothing and is dropped.
// 3. beta 0 drops C.
// 4. A constant C of one value is written out for each column of a constant B: integer kernels take
//    only such a bias.
// 5. transA before a constant B becomes a Transpose: no kernel for narrow weights knows it, and
//    onnxruntime takes the two together again where the Gemm stays float.
// 6. New constants get fresh names: another node may share the old ones.
import {
  attr,
  defineRewrite,
  floatAttribute,
  type GraphEditor,
  type GraphIndex,
  intAttribute,
  type Miss,
  miss,
  type Node,
  type Pass,
  rewritePass,
} from '@pare/graph'
import { readLayer } from '@pare/ops'
import { type DataType, elementCount, type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

export function normalizeGemm(): Pass {
  return rewritePass(rule)
}

interface GemmMatch {
  readonly node: Node
  readonly alpha: number
  readonly beta: number
  /** Input that takes alpha. */
  readonly alphaInput: number
  /** Values to write C out to; undefined: it is left as it is. */
  readonly columns: number | undefined
  /** Whether A is transposed before a constant B. */
  readonly transposes: boolean
}

const FLOAT_TYPES: ReadonlySet<DataType> = new Set(['float32', 'float16'])

const rule = defineRewrite<GemmMatch>({
  name: 'normalize_gemm',
  opTypes: ['Gemm'],
  match,
  rewrite,
})

function match(node: Node, index: GraphIndex): GemmMatch | Miss | undefined {
  const alpha = floatAttribute(node, 'alpha', 1)
  const beta = floatAttribute(node, 'beta', 1)
  const columns = columnsToFill(node, index)
  const isConstant = (input: number) => {
    const tensor = index.constant(node.inputs[input] ?? '')
    return tensor !== undefined && FLOAT_TYPES.has(tensor.dataType)
  }
  const transposes = intAttribute(node, 'transA', 0) === 1 && isConstant(1)
  if (alpha === 1 && beta === 1 && columns === undefined && !transposes) return undefined
  const alphaInput = [1, 0].find(isConstant)
  if (alpha !== 1 && alphaInput === undefined) {
    return miss('alpha_not_foldable', `alpha is ${alpha} and neither A nor B is a constant`)
  }
  const hasC = (node.inputs[2] ?? '') !== ''
  if (beta !== 1 && beta !== 0 && hasC && !isConstant(2)) {
    return miss('beta_not_foldable', `beta is ${beta} and C is not a constant`)
  }
  return { node, alpha, beta, alphaInput: alphaInput ?? 1, columns, transposes }
}

function columnsToFill(node: Node, index: GraphIndex): number | undefined {
  const layer = readLayer(node, index)
  if (layer === undefined || 'reason' in layer) return undefined
  const { bias, outputs } = layer
  if (bias === undefined || !FLOAT_TYPES.has(bias.dataType)) return undefined
  return elementCount(bias.dims) === 1 && outputs !== 1 ? outputs : undefined
}

function rewrite(found: GemmMatch, editor: GraphEditor): void {
  const { node, alpha, beta, alphaInput, columns, transposes } = found
  const inputs = [...node.inputs]
  if (alpha !== 1) inputs[alphaInput] = addScaled(inputs[alphaInput]!, alpha, editor)
  const hasC = (inputs[2] ?? '') !== ''
  if (beta === 0 || !hasC) inputs.length = 2
  else if (beta !== 1) inputs[2] = addScaled(inputs[2]!, beta, editor)
  if (inputs.length > 2 && columns !== undefined) {
    inputs[2] = editor.addInitializer(inputs[2]!, filled(editor.constant(inputs[2]!)!, columns))
  }
  const attributes = new Map(node.attributes)
  attributes.delete('alpha')
  attributes.delete('beta')
  if (transposes) {
    attributes.delete('transA')
    inputs[0] = insertTranspose(node, inputs[0]!, editor)
  }
  editor.updateNode(node, { inputs, attributes })
}

function insertTranspose(node: Node, value: string, editor: GraphEditor): string {
  const transpose = editor.insertBefore(node, {
    opType: 'Transpose',
    inputs: [value],
    attributes: { perm: attr.ints([1, 0]) },
  })
  return transpose.outputs[0]!
}

function addScaled(name: string, factor: number, editor: GraphEditor): string {
  return editor.addInitializer(name, scaled(editor.constant(name)!, factor))
}

function scaled(tensor: Tensor, factor: number): Tensor {
  const values = toFloat32(tensor).map((value) => value * factor)
  return tensorFromFloats(tensor.dataType, tensor.dims, values)
}

function filled(tensor: Tensor, columns: number): Tensor {
  const [value] = toFloat32(tensor)
  return tensorFromFloats(tensor.dataType, [columns], new Float32Array(columns).fill(value!))
}
