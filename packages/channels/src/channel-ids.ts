// Which channels must be scaled alike. Every channel of every value gets an id; nodes that tie
// channels together (Add, Relu, Concat, …) unite ids, and what no factor can pass pins them to 1.
import type { Reason } from '@pare/recipe'

/** Why channels keep their scale. */
export interface Pinned {
  readonly code: Reason
  readonly message: string
}

/** Union-find over channel ids. A space holds the ids that nodes handle together. */
export class ChannelIds {
  private readonly parents: number[] = []
  private readonly spaceOfId: number[] = []
  private readonly spaces: number[] = []
  private readonly pins = new Map<number, Pinned>()
  private readonly floors = new Map<number, number>()

  /** Number of ids given out. */
  get size(): number {
    return this.parents.length
  }

  /** Fresh ids, in a space of their own. */
  allocate(count: number): Int32Array {
    const space = this.spaces.length
    this.spaces.push(space)
    return Int32Array.from({ length: count }, () => {
      this.spaceOfId.push(space)
      return this.parents.push(this.parents.length) - 1
    })
  }

  /** The id that stands for all that are scaled like this one. */
  root(id: number): number {
    return find(this.parents, id)
  }

  roots(ids: Int32Array): Int32Array {
    return ids.map((id) => this.root(id))
  }

  /** The space that an id belongs to; spaces count from 0 in the order of the graph. */
  space(id: number): number {
    return find(this.spaces, this.spaceOfId[id]!)
  }

  /** Scales a[i] and b[i] alike from now on. */
  unite(a: Int32Array, b: Int32Array): void {
    this.gather(a, b)
    for (let i = 0; i < a.length; i++) this.uniteOne(a[i]!, b[i]!)
  }

  private uniteOne(a: number, b: number): void {
    const [kept, merged] = [this.root(a), this.root(b)].toSorted((x, y) => x - y) as [
      number,
      number,
    ]
    if (kept === merged) return
    this.parents[merged] = kept
    const pin = this.pins.get(kept) ?? this.pins.get(merged)
    if (pin !== undefined) this.pins.set(kept, pin)
    const floor = Math.max(this.floor(kept), this.floors.get(merged) ?? 0)
    if (floor > 0) this.floors.set(kept, floor)
  }

  /** Puts both into one space without tying any channels. */
  gather(a: Int32Array, b: Int32Array): void {
    if (a.length === 0 || b.length === 0) return
    const [kept, merged] = [this.space(a[0]!), this.space(b[0]!)].toSorted((x, y) => x - y)
    this.spaces[merged!] = kept!
  }

  /** Fixes the scale of channels at 1. The first reason stays. */
  pin(ids: Iterable<number>, reason: Pinned): void {
    for (const id of ids) {
      const root = this.root(id)
      if (!this.pins.has(root)) this.pins.set(root, reason)
    }
  }

  pinned(id: number): Pinned | undefined {
    return this.pins.get(this.root(id))
  }

  /** Demands a scale of at least `floor`. */
  raiseFloor(id: number, floor: number): void {
    const root = this.root(id)
    this.floors.set(root, Math.max(this.floor(root), floor))
  }

  /** The least scale a channel may have; 0 where there is no limit. */
  floor(id: number): number {
    return this.floors.get(this.root(id)) ?? 0
  }
}

function find(parents: number[], start: number): number {
  let at = start
  while (parents[at] !== at) {
    const grandparent = parents[parents[at]!]!
    parents[at] = grandparent
    at = grandparent
  }
  return at
}
