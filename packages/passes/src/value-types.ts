// What is known about values: learned from a run where there was one, else as the file declares.
import type { GraphIndex, ValueType } from '@pare/graph'
import type { DataType } from '@pare/tensor'

export interface ValueShape {
  readonly dataType: DataType
  /** Dimensions in the run they were learned from; other runs may have other sizes, not ranks. */
  readonly dims: readonly number[]
}

/** By value name. */
export type ValueShapes = ReadonlyMap<string, ValueShape>

export const NO_SHAPES: ValueShapes = new Map()

export function rankOf(value: string, index: GraphIndex, shapes: ValueShapes): number | undefined {
  const known = index.constant(value)?.dims ?? shapes.get(value)?.dims
  return known?.length ?? declaredShape(index.value(value)?.type)?.length
}

export function dataTypeOf(
  value: string,
  index: GraphIndex,
  shapes: ValueShapes,
): DataType | undefined {
  const known = index.constant(value)?.dataType ?? shapes.get(value)?.dataType
  if (known !== undefined) return known
  const type = index.value(value)?.type
  return type?.kind === 'tensor' ? type.elementType : undefined
}

function declaredShape(type: ValueType | undefined) {
  return type?.kind === 'tensor' ? type.shape : undefined
}
