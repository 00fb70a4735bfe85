// How a stage reads its inputs and writes its outputs.
import { existsSync } from 'node:fs'
import { link, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { ModelSource } from '@pare/evaluation'
import { type Model, tensorsOf } from '@pare/graph'
import { encodeModel } from '@pare/onnx'
import { isBundle, openModelFile, planModelFile } from '@pare/onnx/bundle'
import type { OpenModel, ValueShape, ValueShapes } from '@pare/passes'
import type { Tensor } from '@pare/tensor'

import { errors } from '../errors.js'
import type { Decisions } from '../report/decisions.js'
import type { StageInput, StageOutput, StageSetting } from './stage.js'

/** @throws stage_input_missing */
export function inputOf<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
): StageInput {
  const input = context.inputs.find((candidate) => candidate.role === role)
  if (input !== undefined) return input
  throw errors.stage_input_missing(`the stage was started without its input "${role}"`, {
    details: { role, given: context.inputs.map((candidate) => candidate.role) },
  })
}

export function hasInput<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
): boolean {
  return context.inputs.some((input) => input.role === role)
}

/** @throws stage_input_missing */
export function labelled(inputs: ReadonlyMap<string, StageInput>, label: string): StageInput {
  const input = inputs.get(label)
  if (input !== undefined) return input
  throw errors.stage_input_missing(`the stage was started without its input of "${label}"`, {
    details: { label, given: [...inputs.keys()] },
  })
}

/** The inputs of a role of which there may be many, by their label, in the order of the plan. */
export function inputsOf<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
): ReadonlyMap<string, StageInput> {
  const prefix = `${role}/`
  const found = context.inputs.filter((input) => input.role.startsWith(prefix))
  return new Map(found.map((input) => [input.role.slice(prefix.length), input]))
}

/**
 * The model of an input. The weights of a bundle stay in its file, which gets a name in the work
 * folder, where sessions of `context.runtime` find it; those of a large .onnx file are put there.
 */
export async function readModel<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
): Promise<Model> {
  const { path } = inputOf(context, role)
  if (isBundle(path)) return openModelFile(await enter(context, role)).model
  return putAside(context, openModelFile(path).model, role)
}

/** Gives an input another name, in the work folder; it may have it already. */
async function enter<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
): Promise<string> {
  const path = join(context.workDir, `${role}.bundle`)
  await link(inputOf(context, role).path, path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  })
  return path
}

/** The model of an input for an evaluation, which runs it and looks at the file as it is. */
export async function readStoredModel<Role extends string>(
  context: StageSetting<Role>,
  role: NoInfer<Role>,
): Promise<ModelSource> {
  const { path } = inputOf(context, role)
  if (isBundle(path)) {
    const { model, sizeBytes, read } = openModelFile(await enter(context, role))
    return { model, session: encodeModel(model), bytes: sizeBytes, read }
  }
  if ((await stat(path)).size <= maxBytesInMemory(context)) return readFile(path)
  const { model, sizeBytes, read } = openModelFile(path)
  return { model: putAside(context, model, role), session: { path }, bytes: sizeBytes, read }
}

/** Models beyond this are copied too dearly between a stage and the sessions that it opens. */
const MAX_BYTES_IN_MEMORY = 256 << 20

function maxBytesInMemory({ maxOnnxBytes = Infinity }: StageSetting): number {
  return Math.min(MAX_BYTES_IN_MEMORY, maxOnnxBytes)
}

/**
 * The same model with its weights in the work folder, when they are many: where it is encoded for a
 * session they are not copied, and whoever lets go of the model given has its memory back.
 */
export function putAside(context: StageSetting, model: Model, name: string): Model {
  const bytesOf = ({ data }: Tensor) => (data.kind === 'bytes' ? data.bytes.length : 0)
  const inMemory = tensorsOf(model).reduce((sum, tensor) => sum + bytesOf(tensor), 0)
  if (inMemory <= maxBytesInMemory(context)) return model
  const path = join(context.workDir, `${name}.aside`)
  // An input may be read twice, and is the same then.
  if (!existsSync(path)) planModelFile(model, { maxOnnxBytes: 0 }).write(path)
  return openModelFile(path).model
}

/** Gives back the memory of models that nothing refers to any more, where the process allows it. */
export function releaseMemory(): void {
  globalThis.gc?.()
}

/** Reads a JSON input that an earlier stage wrote; its form is that stage's promise. */
export async function readJson<Value>({ path }: StageInput): Promise<Value> {
  return JSON.parse(await readFile(path, 'utf8')) as Value
}

/** What a step decided, in the form that the report reads. */
export function writeDecisions(
  context: StageSetting,
  decisions: Decisions,
): Promise<StageOutput<'decisions'>> {
  return writeJson(context, 'decisions', decisions)
}

export async function writeOutput<Role extends string>(
  context: StageSetting,
  output: { readonly role: Role; readonly fileName: string; readonly mediaType: string },
  content: Uint8Array | string | Iterable<Uint8Array>,
): Promise<StageOutput<Role>> {
  const path = join(context.workDir, output.fileName)
  await writeFile(path, content, { flag: 'wx' })
  return { role: output.role, path, mediaType: output.mediaType }
}

/** Writes the model as an .onnx file, or as a bundle when it is too large for one. */
export function writeModel(context: StageSetting, model: Model): StageOutput<'model'> {
  return writeModelAs('model', context, model)
}

/** The same under another role. */
export function writeModelAs<const Role extends string>(
  role: Role,
  context: StageSetting,
  model: Model,
): StageOutput<Role> {
  const { maxOnnxBytes } = context
  const plan = planModelFile(model, maxOnnxBytes === undefined ? {} : { maxOnnxBytes })
  const { extension, mediaType } = MODEL_FORMATS[plan.format]
  const path = join(context.workDir, `${role}.${extension}`)
  plan.write(path)
  return { role, path, mediaType }
}

const MODEL_FORMATS = {
  onnx: { extension: 'onnx', mediaType: 'application/onnx' },
  bundle: { extension: 'zip', mediaType: 'application/zip' },
} as const

/** For a session that hardly runs: packing its weights would take longer, and as much memory again. */
export const RUNS_ONCE = { 'session.disable_prepacking': '1' }

/** Sessions of the reference mode, for a few runs. */
export function openOnce({ runtime, threads }: StageSetting): OpenModel {
  return (model) =>
    runtime.createSession(encodeModel(model), {
      intraOpThreads: threads,
      optimization: 'none',
      config: RUNS_ONCE,
    })
}

/** What a session is made of, for a model that `writeModel` wrote. */
export function runnable({ path, mediaType }: StageOutput): Uint8Array | { readonly path: string } {
  const isArchive = mediaType === MODEL_FORMATS.bundle.mediaType
  return isArchive ? encodeModel(openModelFile(path).model) : { path }
}

export async function writeJson<const Role extends string>(
  context: StageSetting,
  role: Role,
  value: unknown,
): Promise<StageOutput<Role>> {
  const output = { role, fileName: `${role}.json`, mediaType: 'application/json' }
  return writeOutput(context, output, JSON.stringify(value))
}

/** Types and dimensions of the values of the prepared model, as `prepare` learned them. */
export async function readShapes(context: StageSetting<'shapes'>): Promise<ValueShapes> {
  const entries = await readJson<readonly (readonly [string, ValueShape])[]>(
    inputOf(context, 'shapes'),
  )
  return new Map(entries)
}
