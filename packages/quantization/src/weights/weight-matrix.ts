// The weight of a layer as the matrix that is summed over, [rows, columns].
import { type Tensor, toFloat32 } from '@pare/tensor'

import type { WeightMatrix } from './block-grid.js'
import type { WeightLayer } from './find-layers.js'

/** A copy of the layer's weight, whose bytes are at hand, times `factor` (Gemm's alpha). */
export function weightMatrix(
  { rows, columns, layout }: Pick<WeightLayer, 'rows' | 'columns' | 'layout'>,
  weight: Tensor,
  factor = 1,
): WeightMatrix {
  const source = toFloat32(weight)
  const values = layout === 'kn' ? transpose(source, columns, rows) : Float32Array.from(source)
  if (factor !== 1) for (let i = 0; i < values.length; i++) values[i]! *= factor
  return { rows, columns, values }
}

/** [rows, columns] → [columns, rows], in tiles that fit into the cache. */
export function transpose<Values extends Float32Array | Uint8Array>(
  source: Values,
  rows: number,
  columns: number,
): Values {
  const target = new (source.constructor as new (length: number) => Values)(source.length)
  for (let row0 = 0; row0 < rows; row0 += TILE) {
    for (let column0 = 0; column0 < columns; column0 += TILE) {
      const [rowEnd, columnEnd] = [Math.min(row0 + TILE, rows), Math.min(column0 + TILE, columns)]
      for (let row = row0; row < rowEnd; row++) {
        for (let column = column0; column < columnEnd; column++) {
          target[column * rows + row] = source[row * columns + column]!
        }
      }
    }
  }
  return target
}

const TILE = 32
