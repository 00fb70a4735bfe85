import type { Outputs, Probe, ProbedBatch } from './probe.js'

export interface ShownValues {
  /** Default: the outputs of the model. */
  readonly values?: readonly string[]
  readonly see: (outputs: Outputs, batch: ProbedBatch) => void
  readonly isDone?: () => boolean
}

/** A probe that reduces nothing: `see` is handed the values themselves, which are large. */
export function shownValues({ values, see, isDone }: ShownValues): Probe<void> {
  return {
    attach: ({ model, show }) => {
      show(values ?? model.graph.outputs.map(({ name }) => name))
      return {
        observe: async (batch) => see(await batch.outputs(), batch),
        result: () => undefined,
        ...(isDone === undefined ? {} : { isDone }),
      }
    },
  }
}
