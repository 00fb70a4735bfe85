// What reaches a branch: the model around it runs, shows what the branch captures, and says whether
// the branch is taken.
import { type Compute, openSession } from '@pare/calibration'
import type { Batch, Feeds } from '@pare/datasets'
import { CodedError } from '@pare/errors'
import { indexGraph, type Model } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import { toNumbers } from '@pare/tensor'

import type { Branch } from './branches.js'

/**
 * For each batch that takes the branch, the values of what it captures. Nothing where one of these is
 * no tensor: a session hands out no sequences.
 */
export async function* branchFeeds(
  branch: Branch,
  batches: AsyncIterable<Batch>,
  compute: Compute,
): AsyncGenerator<Batch> {
  const { outer, node, model, name } = branch
  const condition = node.inputs[0]!
  const constant = indexGraph(outer.graph).constant(condition)
  const wanted = model.graph.inputs.map((input) => input.name)
  const shown = [...new Set([...(constant === undefined ? [condition] : []), ...wanted])]
  let session: InferenceSession | undefined
  try {
    for await (const batch of batches) {
      const { feeds } = batch
      const computed = shown.filter((value) => feeds[value] === undefined)
      if (computed.length > 0) session ??= await open(outer, { feeds, computed, compute })
      if (computed.length > 0 && session === undefined) return
      const results = { ...feeds, ...(await session?.run(feeds)) }
      const said = constant === undefined ? results[condition]!.data : toNumbers(constant)
      if (Boolean(said[0]) !== (name === 'then_branch')) continue
      yield { ...batch, feeds: Object.fromEntries(wanted.map((one) => [one, results[one]!])) }
    }
  } finally {
    await session?.release()
  }
}

interface Opening {
  readonly feeds: Feeds
  readonly computed: readonly string[]
  readonly compute: Compute
}

/** Undefined where a session refuses to show one of the values. */
async function open(
  outer: Model,
  { feeds, computed, compute }: Opening,
): Promise<InferenceSession | undefined> {
  const { graph } = withInputTypes(outer, feeds)
  const outputs = computed.map((name) => ({ name, metadataProps: [] }))
  try {
    return await openSession(compute, { ...outer, graph: { ...graph, outputs } })
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
