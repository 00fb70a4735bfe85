import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { CodedError } from '@pare/errors'
import { checkModel, type Model, runPass, walkGraphs, walkNodes } from '@pare/graph'
import type { InferenceSession, ValueDescription } from '@pare/inference'
import { type OpenedUpload, openUpload } from '@pare/onnx/bundle'
import { sortTopologically } from '@pare/passes'
import { toJsonObject } from '@pare/recipe'
import { elementCount } from '@pare/tensor'

import type { ModelDescription, ValueSummary } from '../plan/model-description.js'
import type { StageContext, StageFunction, StageOutput } from './stage.js'
import { inputOf, runnable, RUNS_ONCE, writeModelAs } from './stage-files.js'
import { trialRun } from './trial-run.js'

/**
 * Checks an upload, writes its canonical file, and runs that once. Order matters: the scanner sees
 * the bytes before any parser, the checker the graph before onnxruntime, and onnxruntime only ever
 * the canonical file.
 *
 * Input `model`: .onnx, or a .zip of one .onnx with its external data. Output `canonical`, a file as
 * `writeModel` makes it; the metrics are a ModelDescription.
 */
export const run: StageFunction<'inspect_model'> = async (context) => {
  const directory = join(context.workDir, 'upload')
  await mkdir(directory)
  const upload = await openUpload({ path: inputOf(context, 'model').path, directory })
  const output = writeCanonical(context, upload)
  await rm(directory, { recursive: true })
  context.onProgress({ done: 1, total: 2, unit: 'steps', message: 'loading in onnxruntime' })
  const session = await context.runtime.createSession(runnable(output), {
    intraOpThreads: context.threads,
    config: RUNS_ONCE,
  })
  const { size } = await stat(output.path)
  const description = {
    ...describe(upload.model, session),
    size_bytes: size,
    trial_run: await trialRun(session, context.seed),
  } satisfies ModelDescription
  await session.release()
  return { outputs: [output], metrics: toJsonObject(description) }
}

function writeCanonical(
  context: StageContext<'inspect_model'>,
  { model, close }: OpenedUpload,
): StageOutput<'canonical'> {
  try {
    const ordered = inOrder(model)
    checkModel(ordered)
    return writeModelAs('canonical', context, ordered)
  } finally {
    close()
  }
}

/**
 * onnxruntime takes nodes in any order, and its float16 converter writes them so. What has no order is
 * left for the checker to name.
 */
function inOrder(model: Model): Model {
  try {
    return runPass(sortTopologically(), model).model
  } catch (error) {
    if (error instanceof CodedError) return model
    throw error
  }
}

function describe(
  model: Model,
  session: InferenceSession,
): Omit<ModelDescription, 'size_bytes' | 'trial_run'> {
  const opTypes = new Map<string, number>()
  for (const node of walkNodes(model.graph, { subgraphs: 'visit' })) {
    const name = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`
    opTypes.set(name, (opTypes.get(name) ?? 0) + 1)
  }
  return {
    inputs: session.inputs.map(summarizeValue),
    outputs: session.outputs.map(summarizeValue),
    ir_version: model.irVersion,
    opset_imports: model.opsetImports.map(({ domain, version }) => ({ domain, version })),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(' '),
    parameters: countParameters(model),
    nodes: [...opTypes.values()].reduce((sum, count) => sum + count, 0),
    op_types: Object.fromEntries([...opTypes].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

function summarizeValue({ name, dataType, shape }: ValueDescription): ValueSummary {
  return { name, data_type: dataType, ...(shape === undefined ? {} : { shape }) }
}

/** Weights inside the bodies of If, Loop and Scan count too. */
function countParameters({ graph }: Model): number {
  return [...walkGraphs(graph)]
    .flatMap(({ initializers }) => [...initializers.values()])
    .reduce((sum, { dims }) => sum + elementCount(dims), 0)
}
