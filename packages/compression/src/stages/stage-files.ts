// How a stage reads its inputs and writes its outputs.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { ValueShape, ValueShapes } from '@pare/passes'

import { errors } from '../errors.js'
import type { StageContext, StageInput, StageOutput } from './stage.js'

/** @throws stage_input_missing */
export function inputOf(context: StageContext, role: string): StageInput {
  const input = context.inputs.find((candidate) => candidate.role === role)
  if (input !== undefined) return input
  throw errors.stage_input_missing(`the stage was started without its input "${role}"`, {
    details: { role, given: context.inputs.map((candidate) => candidate.role) },
  })
}

export async function readInput(context: StageContext, role: string): Promise<Uint8Array> {
  return readFile(inputOf(context, role).path)
}

/** Reads a JSON input that an earlier stage wrote; its form is that stage's promise. */
export async function readJsonInput<Value>(context: StageContext, role: string): Promise<Value> {
  return JSON.parse(await readFile(inputOf(context, role).path, 'utf8')) as Value
}

export async function writeOutput(
  context: StageContext,
  output: { readonly role: string; readonly fileName: string; readonly mediaType: string },
  content: Uint8Array | string | Iterable<Uint8Array>,
): Promise<StageOutput> {
  const path = join(context.workDir, output.fileName)
  await writeFile(path, content, { flag: 'wx' })
  return { role: output.role, path, mediaType: output.mediaType }
}

export async function writeModel(
  context: StageContext,
  chunks: Iterable<Uint8Array>,
): Promise<StageOutput> {
  const output = { role: 'model', fileName: 'model.onnx', mediaType: ONNX_MEDIA_TYPE }
  return writeOutput(context, output, chunks)
}

export async function writeJson(
  context: StageContext,
  role: string,
  value: unknown,
): Promise<StageOutput> {
  const output = { role, fileName: `${role}.json`, mediaType: 'application/json' }
  return writeOutput(context, output, JSON.stringify(value))
}

const ONNX_MEDIA_TYPE = 'application/onnx'

/** Types and dimensions of the values of the prepared model, as `prepare` learned them. */
export async function readShapes(context: StageContext): Promise<ValueShapes> {
  const entries = await readJsonInput<readonly (readonly [string, ValueShape])[]>(context, 'shapes')
  return new Map(entries)
}
