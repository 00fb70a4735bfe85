// The editable list behind GraphEditor: a linked list of nodes that always knows who makes and who
// reads each value. Nodes are still immutable: an edit puts a new node into the old one's place.
import { errors } from './errors.js'
import { readValues } from './graph-index.js'
import type { Node } from './model.js'

interface Place {
  node: Node
  previous: Place | undefined
  next: Place | undefined
  reads: ReadonlySet<string>
  removed: boolean
}

export class NodeList {
  private first: Place | undefined
  private last: Place | undefined
  /** Every node that is or was in the list, so that old references find their place. */
  private readonly places = new Map<Node, Place>()
  private readonly producers = new Map<string, Place>()
  private readonly readers = new Map<string, Set<Place>>()

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) this.insert(node, undefined)
  }

  *[Symbol.iterator](): Generator<Node> {
    for (let place = this.first; place !== undefined; place = place.next) yield place.node
  }

  producer(value: string): Node | undefined {
    return this.producers.get(value)?.node
  }

  consumers(value: string): readonly Node[] {
    return Array.from(this.readers.get(value) ?? [], (place) => place.node)
  }

  hasConsumers(value: string): boolean {
    return (this.readers.get(value)?.size ?? 0) > 0
  }

  /** What now stands in the place of `node`, or undefined where that was removed. */
  current(node: Node): Node | undefined {
    const place = this.places.get(node)
    return place === undefined || place.removed ? undefined : place.node
  }

  /** Inserts before `before`, or at the end. */
  insert(node: Node, before: Node | undefined): void {
    const next = before === undefined ? undefined : this.place(before)
    const previous = next === undefined ? this.last : next.previous
    const place: Place = { node, previous, next, reads: EMPTY, removed: false }
    if (previous === undefined) this.first = place
    else previous.next = place
    if (next === undefined) this.last = place
    else next.previous = place
    this.fill(place, node)
  }

  /** The node after this one. */
  after(node: Node): Node | undefined {
    return this.place(node).next?.node
  }

  replace(node: Node, by: Node): void {
    const place = this.place(node)
    this.empty(place)
    this.fill(place, by)
  }

  remove(node: Node): void {
    const place = this.place(node)
    this.empty(place)
    place.removed = true
    if (place.previous === undefined) this.first = place.next
    else place.previous.next = place.next
    if (place.next === undefined) this.last = place.previous
    else place.next.previous = place.previous
  }

  private place(node: Node): Place {
    const place = this.places.get(node)
    if (place === undefined || place.removed) {
      throw errors.graph_edit_invalid(
        `node "${node.name}" (${node.opType}) is not in the graph that is edited`,
      )
    }
    return place
  }

  private fill(place: Place, node: Node): void {
    place.node = node
    place.reads = readValues(node)
    this.places.set(node, place)
    for (const output of node.outputs) if (output !== '') this.producers.set(output, place)
    for (const value of place.reads) {
      const known = this.readers.get(value)
      if (known === undefined) this.readers.set(value, new Set([place]))
      else known.add(place)
    }
  }

  private empty(place: Place): void {
    for (const output of place.node.outputs) {
      if (this.producers.get(output) === place) this.producers.delete(output)
    }
    for (const value of place.reads) this.readers.get(value)?.delete(place)
  }
}

const EMPTY: ReadonlySet<string> = new Set()
