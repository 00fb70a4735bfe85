/** What is noted of nodes that make a tensor out of a stated shape, and of the constants that state it. */
import type { ElementType } from './element-types.js'
import type { Place } from './place.js'

export interface TensorFacts {
  readonly name: string
  readonly elementType: ElementType
  readonly dims: readonly bigint[]
  readonly elements: bigint
  /** The values, where they are few integers that stand in the file. */
  readonly ints?: readonly bigint[]
}

/** The constants a graph sees: its own and those of the graphs around it. */
export interface ConstantScope {
  readonly parent?: ConstantScope
  readonly constants: Map<string, TensorFacts>
}

export interface ShapeClaim {
  readonly place: Place
  readonly opType: string
  readonly inputs: readonly string[]
  readonly scope: ConstantScope
  /** The `shape` attribute of the Random operators. */
  readonly shape?: readonly bigint[]
  /** The type of the `value` attribute of ConstantOfShape. */
  readonly elementType?: ElementType
}

/** Claims in the order read. Scopes fill up later: initializers stand behind the nodes. */
export type ShapeClaims = ShapeClaim[]
