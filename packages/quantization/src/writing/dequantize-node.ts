import { attr, type GraphEditor } from '@pare/graph'

/** Names of a scale and a zero point. */
export interface Parameters {
  readonly scale: string
  readonly zeroPoint: string
}

/** Where scales lie: along an axis, one each or in blocks. */
interface AxisOption {
  readonly axis?: number | undefined
  readonly blockSize?: number | undefined
}

/** Returns the float value. */
export function addDequantize(
  editor: GraphEditor,
  value: string,
  {
    scale,
    zeroPoint,
    axis,
    blockSize,
  }: Partial<Parameters> & Pick<Parameters, 'scale'> & AxisOption,
): string {
  const output = editor.uniqueName('d')
  editor.addNode({
    opType: 'DequantizeLinear',
    name: 'D',
    inputs: zeroPoint === undefined ? [value, scale] : [value, scale, zeroPoint],
    outputs: [output],
    attributes: {
      ...(axis === undefined ? {} : { axis: attr.int(axis) }),
      ...(blockSize === undefined ? {} : { block_size: attr.int(blockSize) }),
    },
  })
  return output
}
