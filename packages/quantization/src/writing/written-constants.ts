// The constants that quantization writes. Names are short and equal scalars are shared: in a small
// model they are what quantization adds to the file.
import type { GraphEditor } from '@pare/graph'
import type { ActivationType } from '@pare/recipe'
import { type Tensor, tensorFromFloat32, tensorFromInts } from '@pare/tensor'

export class ScalarPool {
  private readonly editor: GraphEditor
  private readonly names = new Map<string, string>()

  constructor(editor: GraphEditor) {
    this.editor = editor
  }

  float(value: number): string {
    return this.get(`f${value}`, 's', () => tensorFromFloat32([], Float32Array.of(value)))
  }

  integer(type: ActivationType, value: number): string {
    return this.get(`${type}${value}`, 'z', () => tensorFromInts(type, [], [value]))
  }

  /** One scale for all channels is a scalar. */
  scales(scales: Float32Array, dims: readonly number[] = [scales.length]): string {
    if (scales.length === 1) return this.float(scales[0]!)
    return this.editor.addInitializer('s', tensorFromFloat32(dims, scales))
  }

  /** Zero points of 0 for `count` channels. */
  zeros(count: number, type: ActivationType = 'int8'): string {
    if (count === 1) return this.integer(type, 0)
    const make = () => tensorFromInts(type, [count], new Array<number>(count).fill(0))
    return this.get(`${type}zeros${count}`, 'z', make)
  }

  private get(key: string, hint: string, make: () => Tensor): string {
    const known = this.names.get(key)
    if (known !== undefined) return known
    const name = this.editor.addInitializer(hint, make())
    this.names.set(key, name)
    return name
  }
}

/** Shares the bytes. */
export function int8Tensor(dims: readonly number[], data: Int8Array): Tensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { dataType: 'int8', dims, data: { kind: 'bytes', bytes } }
}

/** Removes the float constants that integers have replaced. */
export function removeUnused(editor: GraphEditor): void {
  editor.removeUnusedInitializers()
  for (const node of editor.nodes()) {
    if (node.opType !== 'Constant' || node.domain !== '') continue
    if (!node.outputs.some((output) => editor.isUsed(output))) editor.removeNode(node)
  }
}
