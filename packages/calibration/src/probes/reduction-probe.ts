// For observers whose reductions onnxruntime computes: a few numbers per value and batch come out.
import type { ReducingObserver } from '../observer.js'
import type { StatisticsKind, TensorStatistics } from '../statistics.js'
import { addReductions, expose } from './instrument.js'
import type { States, TensorsOf } from './point-statistics.js'
import type { AttachedProbe, Probe, ProbedBatch, ProbeGraph } from './probe.js'

export function reductionProbe<Kind extends StatisticsKind>(
  points: readonly string[],
  observer: ReducingObserver<Kind>,
): Probe<TensorsOf<Kind>> {
  return { attach: (graph) => new ReductionProbe(graph, points, observer) }
}

class ReductionProbe<Kind extends StatisticsKind> implements AttachedProbe<TensorsOf<Kind>> {
  private readonly graph: ProbeGraph
  private readonly observer: ReducingObserver<Kind>
  private readonly outputs: ReadonlyMap<string, readonly string[]>
  private readonly states: States<Kind> = new Map()

  constructor(graph: ProbeGraph, points: readonly string[], observer: ReducingObserver<Kind>) {
    this.graph = graph
    this.observer = observer
    this.outputs = addReductions(graph, points, observer)
  }

  /** Rows that fill up a batch repeat a sample, which changes no reduction. */
  async observe(batch: ProbedBatch): Promise<void> {
    const results = await batch.outputs()
    const suspicious: string[] = []
    for (const [point, names] of this.outputs) {
      const outputs = names.map((name) => results[name]!)
      if (outputs[0]?.dataType !== 'float32') continue
      const known = this.states.get(point)
      const state = known?.state ?? this.observer.empty
      const rank = outputs[0].dims.length
      if (this.observer.needsValues(outputs)) {
        suspicious.push(point)
        this.states.set(point, { rank, state })
      } else this.states.set(point, { rank, state: this.observer.observe(state, outputs) })
    }
    for (const point of suspicious) await this.observeValues(point, batch)
  }

  /** The slow way for batches with infinite values: fetch the tensors, one at a time. */
  private async observeValues(point: string, { feeds }: ProbedBatch): Promise<void> {
    const { graph, observer, states } = this
    const session = await graph.open(expose(graph.model, [point]))
    try {
      const known = states.get(point)!
      const results = await session.run(feeds)
      states.set(point, { ...known, state: observer.observeValues(known.state, results[point]!) })
    } finally {
      await session.release()
    }
  }

  result(): Readonly<Record<string, TensorStatistics<Kind>>> {
    return Object.fromEntries(this.states)
  }
}
