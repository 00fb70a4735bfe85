// The model as the conversion sees it: values with an origin and readers, nodes with a type group,
// in nested scopes, since bodies of If, Loop and Scan read values from outside.
import type { Graph, Node } from '@pare/graph'
import type { WhyNot } from '@pare/recipe'
import type { Tensor } from '@pare/tensor'

import type { TypeGroup } from './fewest-casts.js'
import type { KnownType } from './signature.js'

/** A value of one graph. `type` is what the original model says. */
export interface ScopedValue {
  readonly name: string
  readonly scope: Scope
  readonly type: KnownType
  /** Decides the type it is made in; absent for constants and what is not float32. */
  readonly origin?: TypeGroup
  /** A float32 initializer or Constant. */
  readonly constant?: Tensor
  /** Who reads it as a float. */
  readonly readers: Set<TypeGroup>
  /** Computed from integers alone: positions, sizes. */
  readonly isCount: boolean
  /** A node divides by it or takes its logarithm. */
  isDivisor: boolean
  /** The group of the graph output it is. */
  shown?: TypeGroup
}

export interface ScopedNode {
  readonly node: Node
  /** Of its float ports; absent where it has none that could be narrow. */
  readonly group?: TypeGroup
  readonly inputs: readonly (ScopedValue | undefined)[]
  /** What each input must be; absent where the node takes any type, or the input is no float32. */
  readonly wanted: readonly (TypeGroup | undefined)[]
  readonly outputs: readonly (ScopedValue | undefined)[]
  readonly bodies: readonly Scope[]
  /** A Cast, or a CastLike that makes float32: what it converts. */
  readonly castOf?: ScopedValue
  readonly stays?: WhyNot
}

export interface Scope {
  readonly graph: Graph
  readonly parent: Scope | undefined
  readonly values: Map<string, ScopedValue>
  readonly nodes: ScopedNode[]
  /** Of one Cast here: more where it runs once per iteration. */
  readonly castCost: number
  /** In the order of `graph.outputs`. */
  readonly outputs: { readonly value: ScopedValue; readonly group?: TypeGroup }[]
}

/** The value that a name means here: of this graph, else of the nearest one around it. */
export function findValue(scope: Scope, name: string): ScopedValue | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const value = at.values.get(name)
    if (value !== undefined) return value
  }
  return undefined
}

export function* walkScopes(scope: Scope): Generator<Scope> {
  yield scope
  for (const { bodies } of scope.nodes) for (const body of bodies) yield* walkScopes(body)
}
