// What reaches a branch: the model around it runs, shows what the branch captures, and says whether
// the branch is taken.
import type { CountedBatch, Feeds } from '@pare/calibration'
import { CodedError } from '@pare/errors'
import { indexGraph, type Model } from '@pare/graph'
import type { InferenceRuntime, InferenceSession } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import { toNumbers } from '@pare/tensor'

import type { Branch } from './branches.js'

/** A batch with the number of its rows, which the captured values no longer tell. */
export type RowedBatch = CountedBatch & { readonly rows: number }

export interface BranchRunner {
  readonly runtime: InferenceRuntime
  readonly threads?: number
  readonly device?: 'cpu' | 'cuda'
}

/**
 * For each batch that takes the branch, the values of what it captures. Nothing where one of these is
 * no tensor: a session hands out no sequences.
 */
export async function* branchFeeds(
  branch: Branch,
  batches: AsyncIterable<RowedBatch>,
  runner: BranchRunner,
): AsyncGenerator<RowedBatch> {
  const { outer, node, model, name } = branch
  const condition = node.inputs[0]!
  const constant = indexGraph(outer.graph).constant(condition)
  const wanted = model.graph.inputs.map((input) => input.name)
  const shown = [...new Set([...(constant === undefined ? [condition] : []), ...wanted])]
  let session: InferenceSession | undefined
  try {
    for await (const { feeds, count, rows } of batches) {
      const computed = shown.filter((value) => feeds[value] === undefined)
      if (computed.length > 0) session ??= await open(outer, { feeds, computed, runner })
      if (computed.length > 0 && session === undefined) return
      const results = { ...feeds, ...(await session?.run(feeds)) }
      const said = constant === undefined ? results[condition]!.data : toNumbers(constant)
      if (Boolean(said[0]) !== (name === 'then_branch')) continue
      yield { feeds: Object.fromEntries(wanted.map((one) => [one, results[one]!])), count, rows }
    }
  } finally {
    await session?.release()
  }
}

interface Opening {
  readonly feeds: Feeds
  readonly computed: readonly string[]
  readonly runner: BranchRunner
}

/** Undefined where a session refuses to show one of the values. */
async function open(
  outer: Model,
  { feeds, computed, runner: { runtime, threads = 1, device } }: Opening,
): Promise<InferenceSession | undefined> {
  const { graph } = withInputTypes(outer, feeds)
  const outputs = computed.map((name) => ({ name, metadataProps: [] }))
  try {
    return await runtime.createSession(encodeModel({ ...outer, graph: { ...graph, outputs } }), {
      intraOpThreads: threads,
      ...(device === undefined ? {} : { device }),
    })
  } catch (error) {
    if (error instanceof CodedError && error.code === 'runtime_rejected_model') return undefined
    throw error
  }
}

/** A branch's model with the types of what it captures, which files need not declare. */
export function withInputTypes(model: Model, feeds: Feeds): Model {
  const inputs = model.graph.inputs.map((input) => {
    const elementType = feeds[input.name]?.dataType
    return elementType === undefined
      ? input
      : { ...input, type: { kind: 'tensor', elementType } as const }
  })
  return { ...model, graph: { ...model.graph, inputs } }
}
