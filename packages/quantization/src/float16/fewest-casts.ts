// Which groups of ports become narrow so that the model needs the fewest Casts: a minimum cut.
// 1. A group is one choice: all float ports of a node, or what passes through a body's border.
// 2. Narrow groups stand on the source's side, wide (float32) ones on the sink's.
// 3. A value costs one Cast when any of its readers differs from its origin, however many do.
// 4. On a tie narrow wins: smaller tensors, faster where there are kernels.

export type Width = 'wide' | 'narrow'

/** Ports that must have one type. */
export interface TypeGroup {
  readonly pinned?: Width
  /** The choice; meaningless before `chooseWidths`. */
  width: Width
}

/** A value with an origin, as opposed to a constant: constants are stored as they are read. */
export interface CastableValue {
  readonly origin: TypeGroup
  readonly readers: ReadonlySet<TypeGroup>
  /** Of one Cast: more inside a loop. */
  readonly cost: number
}

/** Sets the width of every group. */
export function chooseWidths(groups: readonly TypeGroup[], values: readonly CastableValue[]): void {
  const network = new FlowNetwork()
  const ids = new Map(groups.map((group) => [group, terminal(group) ?? network.addVertex()]))
  const id = (group: TypeGroup) => ids.get(group)!
  for (const { origin, readers, cost } of values) {
    const others = [...readers].map(id).filter((reader) => reader !== id(origin))
    if (others.length === 0) continue
    const [toWide, toNarrow] = [network.addVertex(), network.addVertex()]
    network.addEdge(id(origin), toWide, cost)
    network.addEdge(toNarrow, id(origin), cost)
    for (const reader of others) {
      network.addEdge(toWide, reader, Infinity)
      network.addEdge(reader, toNarrow, Infinity)
    }
  }
  network.saturate()
  const wide = network.reachingSink()
  for (const group of groups) group.width = wide.has(id(group)) ? 'wide' : 'narrow'
}

const SOURCE = 0
const SINK = 1

function terminal({ pinned }: TypeGroup): number | undefined {
  if (pinned === undefined) return undefined
  return pinned === 'narrow' ? SOURCE : SINK
}

/** Residual network; edge `e` and its reverse `e ^ 1` stand beside each other. */
class FlowNetwork {
  private readonly heads: number[] = []
  private readonly residual: number[] = []
  private readonly edgesOf: number[][] = [[], []]

  addVertex(): number {
    return this.edgesOf.push([]) - 1
  }

  addEdge(from: number, to: number, capacity: number): void {
    this.edgesOf[from]!.push(this.heads.push(to) - 1)
    this.residual.push(capacity)
    this.edgesOf[to]!.push(this.heads.push(from) - 1)
    this.residual.push(0)
  }

  /** Shortest augmenting paths (Edmonds and Karp): the flow is the number of Casts, so few rounds. */
  saturate(): void {
    for (let path = this.augmentingPath(); path !== undefined; path = this.augmentingPath()) {
      const amount = Math.min(...path.map((edge) => this.residual[edge]!))
      for (const edge of path) {
        this.residual[edge]! -= amount
        this.residual[edge ^ 1]! += amount
      }
    }
  }

  /** Vertices from which the sink can still be reached: the smallest sink side of a minimum cut. */
  reachingSink(): ReadonlySet<number> {
    const reached = new Set([SINK])
    for (const vertex of reached) {
      for (const edge of this.edgesOf[vertex]!) {
        if (this.residual[edge ^ 1]! > 0) reached.add(this.heads[edge]!)
      }
    }
    return reached
  }

  private augmentingPath(): readonly number[] | undefined {
    const arrivals = new Map<number, number>([[SOURCE, -1]])
    for (const vertex of arrivals.keys()) {
      if (vertex === SINK) break
      for (const edge of this.edgesOf[vertex]!) {
        const head = this.heads[edge]!
        if (this.residual[edge]! > 0 && !arrivals.has(head)) arrivals.set(head, edge)
      }
    }
    if (!arrivals.has(SINK)) return undefined
    const path: number[] = []
    for (let vertex = SINK; vertex !== SOURCE;) {
      const edge = arrivals.get(vertex)!
      path.push(edge)
      vertex = this.heads[edge ^ 1]!
    }
    return path
  }
}
