// Divides a value by one factor per column (its last dimension) by changing what makes it, so that
// nothing is computed more than before. Exact but for rounding: y/s = (γ/s)·u + β/s.
import { type GraphEditor, intAttribute, type Node } from '@pare/graph'
import { opRow, opSet, type OpTable, readLayer } from '@pare/ops'
import { type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

/** Makes the changes that were found possible. */
export type Fold = () => void

const NORMS = opSet('LayerNormalization', 'RMSNormalization', 'SimplifiedLayerNormalization')

/**
 * Undefined where no exact way exists: the value is read by others than `readers`, or what makes it
 * has no constant that scales its columns.
 */
export function foldDivision(
  editor: GraphEditor,
  value: string,
  scales: Float32Array,
  readers: readonly Node[],
): Fold | undefined {
  const allowed = new Set(readers.map((node) => editor.current(node)))
  const isShared = editor.consumers(value).some((node) => !allowed.has(node))
  const producer = editor.producer(value)
  if (producer === undefined || producer.domain !== '') return undefined
  if (isShared || editor.isGraphOutput(value)) return undefined
  if (NORMS.has(producer.opType)) return foldNorm(editor, producer, scales)
  return opRow(FOLDS, producer)?.(editor, producer, scales)
}

type FoldInto = (editor: GraphEditor, node: Node, scales: Float32Array) => Fold | undefined

const FOLDS: OpTable<FoldInto> = {
  Add: (editor, node, scales) => foldSum(editor, node, scales),
  Gemm: foldLayer,
  MatMul: foldLayer,
  Mul: foldProduct,
  // s > 0: relu(u)/s = relu(u/s).
  Relu: (editor, node, scales) => foldDivision(editor, node.inputs[0]!, scales, [node]),
}

function foldNorm(editor: GraphEditor, node: Node, scales: Float32Array): Fold | undefined {
  if (intAttribute(node, 'axis', -1) !== -1) return undefined
  const positions = [1, 2].filter((position) => (node.inputs[position] ?? '') !== '')
  const vectors = positions.map((position) => dividedVector(editor, node, position, scales))
  if (vectors.includes(undefined)) return undefined
  return () => {
    for (const [i, position] of positions.entries())
      setConstant(editor, node, position, vectors[i]!)
  }
}

function foldProduct(editor: GraphEditor, node: Node, scales: Float32Array): Fold | undefined {
  for (const position of [0, 1]) {
    const vector = dividedVector(editor, node, position, scales)
    if (vector !== undefined) return () => setConstant(editor, node, position, vector)
  }
  return undefined
}

function foldSum(editor: GraphEditor, node: Node, scales: Float32Array): Fold | undefined {
  for (const position of [0, 1]) {
    const vector = dividedVector(editor, node, position, scales)
    if (vector === undefined) continue
    const other = foldDivision(editor, node.inputs[1 - position]!, scales, [node])
    if (other === undefined) return undefined
    return () => {
      other()
      setConstant(editor, node, position, vector)
    }
  }
  return undefined
}

/** Divides the output columns of a matrix, and the bias. */
function foldLayer(editor: GraphEditor, node: Node, scales: Float32Array): Fold | undefined {
  const layer = readLayer(node, editor)
  if (layer === undefined || 'reason' in layer) return undefined
  const { tensor: weight, input } = layer.weight
  if (!isFloat(weight) || weight.dims.length !== 2 || layer.outputs !== scales.length) {
    return undefined
  }
  const { biasInput, biasName, outputAxis } = layer
  const hasBias = biasInput !== undefined && biasName !== undefined && layer.biasFactor !== 0
  const vector = hasBias ? dividedVector(editor, node, biasInput, scales) : undefined
  if (hasBias && vector === undefined) return undefined
  const [, columns = 0] = weight.dims
  const divided = toFloat32(weight).map(
    (value, i) => value / scales[outputAxis === 0 ? Math.floor(i / columns) : i % columns]!,
  )
  const tensor = tensorFromFloats(weight.dataType, weight.dims, divided)
  return () => {
    setConstant(editor, node, input, tensor)
    if (hasBias) setConstant(editor, node, biasInput, vector!)
  }
}

/** A constant input as a vector over the columns, divided; undefined where it is none. */
function dividedVector(
  editor: GraphEditor,
  node: Node,
  position: number,
  scales: Float32Array,
): Tensor | undefined {
  const tensor = editor.constant(node.inputs[position] ?? '')
  if (tensor === undefined || !isFloat(tensor)) return undefined
  const { dims } = tensor
  const values = toFloat32(tensor)
  const isVector = values.length === scales.length && dims.at(-1) === scales.length
  if (!isVector && values.length !== 1) return undefined
  const divided = scales.map((scale, i) => (isVector ? values[i]! : values[0]!) / scale)
  const shape = isVector ? dims : [...dims.slice(0, -1), scales.length]
  return tensorFromFloats(tensor.dataType, shape, divided)
}

function isFloat({ dataType }: Tensor): boolean {
  return dataType === 'float32' || dataType === 'float16'
}

function setConstant(editor: GraphEditor, node: Node, position: number, tensor: Tensor): void {
  const current = editor.current(node)!
  editor.setInput(current, position, editor.addInitializer(current.inputs[position]!, tensor))
}
