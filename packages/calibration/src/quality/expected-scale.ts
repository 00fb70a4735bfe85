// Whether a model expects its input at the scale that the data has.
import { type GraphIndex, indexGraph, type Model, type Node } from '@pare/graph'
import { opSet, readLayer } from '@pare/ops'
import { type Tensor, toFloat32 } from '@pare/tensor'

/** They change no value. */
const CARRIERS = opSet(
  'Cast',
  'Flatten',
  'Identity',
  'Pad',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
)

/**
 * How many times greater the first layer makes the typical magnitude of an input: the median over its
 * output channels of the Euclidean norm of their weights. A network initialised as usual and trained
 * on data of unit scale has about 1 here (0.3 to 5 in practice); one trained on pixels of 0 to 255 has
 * learned about 0.01. Undefined where the input does not go straight into a layer with constant
 * weights: then what comes between may well be the normalisation.
 */
export function firstLayerGain(model: Model, input: string): number | undefined {
  const index = indexGraph(model.graph)
  const gains = readers(index, input).map((node) => gainOf(index, node))
  const known = gains.filter((gain) => gain !== undefined)
  return known.length === 0 || known.length < gains.length ? undefined : Math.max(...known)
}

function readers(index: GraphIndex, value: string): readonly Node[] {
  return index
    .consumers(value)
    .flatMap((node) =>
      CARRIERS.has(node.opType) && node.inputs[0] === value
        ? readers(index, node.outputs[0]!)
        : [node],
    )
}

function gainOf(index: GraphIndex, node: Node): number | undefined {
  const layer = readLayer(node, index)
  if (layer === undefined || 'reason' in layer) return undefined
  const { kind, weight, outputAxis, perGroup } = layer
  const mayComeFirst = (kind === 'convolution' && perGroup === 'input') || kind === 'matrix'
  if (!mayComeFirst || weight.tensor.dataType !== 'float32') return undefined
  return medianNorm(weight.tensor, outputAxis)
}

function medianNorm(weight: Tensor, axis: number): number {
  const values = toFloat32(weight)
  const channels = weight.dims[axis]!
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1)
  const squares = new Float64Array(channels)
  for (let i = 0; i < values.length; i++) {
    squares[Math.floor(i / inner) % channels]! += values[i]! ** 2
  }
  return Math.sqrt(squares.sort()[channels >> 1] ?? 0)
}
