/** What is remembered of one body (the main graph or a function) with all graphs inside it. */
import type { Place } from './place.js'

/** How a body uses one operator or function. */
export interface OpUse {
  readonly domain: string
  readonly opType: string
  readonly first: Place
  count: number
  /** Deepest graph of the body in which it is used; 1 is the body itself. */
  deepest: number
}

export interface Body {
  readonly place: Place
  /** Domain → version. */
  readonly imports: ReadonlyMap<string, bigint>
  readonly uses: Map<string, OpUse>
  nodes: number
  deepest: number
}

export function newBody(place: Place, imports: ReadonlyMap<string, bigint>): Body {
  return { place, imports, uses: new Map(), nodes: 0, deepest: 1 }
}

/** Names a function or operator. Names hold no control characters, so NUL separates safely. */
export function opKey(domain: string, opType: string, overload: string): string {
  return `${domain}\u0000${opType}\u0000${overload}`
}
