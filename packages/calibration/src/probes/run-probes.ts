// One pass of a model over data, for any number of probes.
import type { Batch, Batches, Feeds } from '@pare/datasets'
import { editGraph, type GraphEditor, type Model, type Value } from '@pare/graph'
import type { InferenceSession, SessionOptions } from '@pare/inference'
import { type Emitter, emitter } from '@pare/ops'
import type { RuntimeTensor } from '@pare/tensor'

import { type Compute, openSession } from '../compute.js'
import type { AttachedProbe, Outputs, Probe, ProbeGraph } from './probe.js'

export interface RunProbesOptions<Probes extends readonly Probe<unknown>[]> extends Compute {
  readonly model: Model
  readonly probes: Probes
  /** E.g. `source.batches({ samples })`. They may differ in size. */
  readonly batches: Batches
  /** Of the sessions, beside threads and device. */
  readonly session?: SessionOptions | undefined
  /** Called after each batch with the samples seen so far. */
  readonly onProgress?: (progress: { readonly samples: number }) => void
  readonly signal?: AbortSignal | undefined
}

export interface ProbeResults<Probes extends readonly Probe<unknown>[]> {
  /** That were looked at. */
  readonly samples: number
  /** One for each probe. */
  readonly results: {
    readonly [Index in keyof Probes]: Probes[Index] extends Probe<infer Result> ? Result : never
  }
}

/**
 * Runs the model once over the data, in one session, and gives what each probe found; ends before the
 * data does when all probes have seen enough. Memory is that of one batch and of what the probes keep.
 * Throws what the runtime and the probes throw.
 */
export async function runProbes<const Probes extends readonly Probe<unknown>[]>(
  options: RunProbesOptions<Probes>,
): Promise<ProbeResults<Probes>> {
  const run = new ProbeRun(options)
  try {
    const samples = await run.pass(options)
    const results = await run.results()
    return { samples, results: results as ProbeResults<Probes>['results'] }
  } finally {
    await run.release()
  }
}

interface Observer {
  readonly probe: AttachedProbe<unknown>
  readonly shown: Shown
  isDone: boolean
}

class ProbeRun {
  private readonly open: (model: Model) => Promise<InferenceSession>
  private readonly graph: SharedGraph
  private readonly observers: readonly Observer[]
  private session: Promise<InferenceSession> | undefined

  constructor(options: RunProbesOptions<readonly Probe<unknown>[]>) {
    this.open = (model) => openSession(options, model, options.session)
    this.graph = new SharedGraph(options.model, this.open)
    this.observers = options.probes.map((probe) => {
      const shown: Shown = new Set()
      return { probe: probe.attach(this.graph.of(shown)), shown, isDone: false }
    })
  }

  async pass({
    batches,
    signal,
    onProgress,
  }: RunProbesOptions<readonly Probe<unknown>[]>): Promise<number> {
    let samples = 0
    for await (const batch of batches) {
      signal?.throwIfAborted()
      const looking = this.observers.filter(({ isDone }) => !isDone)
      await this.observe(batch, looking)
      samples += batch.count
      onProgress?.({ samples })
      for (const observer of looking) observer.isDone = (await observer.probe.isDone?.()) ?? false
      if (this.observers.every(({ isDone }) => isDone)) break
    }
    return samples
  }

  private async observe(batch: Batch, observers: readonly Observer[]): Promise<void> {
    let shared: Promise<Outputs> | undefined
    const outputs = () => (shared ??= this.run(batch.feeds))
    for (const { probe, shown } of observers) {
      const rerun = (feeds: Feeds) => this.run({ ...batch.feeds, ...feeds }, shown)
      await probe.observe({ ...batch, outputs, rerun })
    }
  }

  private async run(feeds: Feeds, shown?: Shown): Promise<Outputs> {
    this.session ??= this.open(this.graph.finish())
    const session = await this.session
    const all = { ...this.graph.idle, ...feeds }
    return shown === undefined || this.observers.length === 1
      ? session.run(all)
      : session.run(all, [...shown])
  }

  results(): Promise<readonly unknown[]> {
    return Promise.all(this.observers.map(({ probe }) => probe.result()))
  }

  async release(): Promise<void> {
    for (const { probe } of this.observers) await probe.release?.()
    // One that could not be opened has thrown where it was asked for.
    const session = await this.session?.catch(() => undefined)
    await session?.release()
  }
}

type Shown = Set<string>

/** What all probes of a run have added to its graph. */
class SharedGraph {
  readonly idle: Record<string, RuntimeTensor> = {}
  private readonly model: Model
  private readonly open: ProbeGraph['open']
  private readonly editor: GraphEditor
  private readonly emit: Emitter
  private readonly inputs: Value[] = []
  private readonly shown: Shown[] = []

  constructor(model: Model, open: ProbeGraph['open']) {
    this.model = model
    this.open = open
    this.editor = editGraph(model)
    this.emit = emitter(this.editor)
  }

  of(shown: Shown): ProbeGraph {
    this.shown.push(shown)
    const { model, editor, emit, open } = this
    return {
      ...{ model, editor, emit, open },
      show: (values) => values.forEach((value) => shown.add(value)),
      addInput: (input, idle) => {
        this.inputs.push(input)
        this.idle[input.name] = idle
      },
    }
  }

  finish(): Model {
    const { graph } = this.model
    const declared = new Map(graph.outputs.map((output) => [output.name, output]))
    const names = new Set(this.shown.flatMap((shown) => [...shown]))
    this.editor.setInputs([...graph.inputs, ...this.inputs])
    this.editor.setOutputs(
      [...names].map((name) => declared.get(name) ?? { name, metadataProps: [] }),
    )
    return this.editor.finish()
  }
}
