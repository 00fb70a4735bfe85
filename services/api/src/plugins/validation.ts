// Requests are checked against the schemas that the OpenAPI document shows. Bodies are taken as
// they are; query parameters and headers arrive as text and are converted first.
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'

import { errors } from '../errors.js'

interface SchemaFault {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: Readonly<Record<string, unknown>>
}

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const checker = Compile(schema)
  const isBody = httpPart === 'body'
  return (input) => {
    const value = isBody
      ? bodyOf(input, schema)
      : Value.Convert(schema, Value.Default(schema, input))
    if (value === undefined) return { error: errors.body_required('send a JSON object') }
    if (checker.Check(value)) return { value }
    const faults = (checker.Errors(value) as readonly SchemaFault[]).filter(saysSomething)
    return { error: isBody ? bodyError(faults) : parameterError(faults) }
  }
}

/** No body at all means an empty object where nothing in it is required. */
export function bodyOf(input: unknown, schema: TSchema): unknown {
  if (input !== undefined && input !== null) return input
  const { required = [] } = schema as { readonly required?: readonly string[] }
  return required.length === 0 ? {} : undefined
}

/** The parts of an anyOf and the summary of unknown members repeat what other faults say. */
function saysSomething({ keyword }: SchemaFault): boolean {
  return keyword !== 'additionalProperties' && keyword !== 'anyOf'
}

function bodyError(faults: readonly SchemaFault[]): Error {
  const parts = faults.flatMap((fault) =>
    pathsOf(fault).map((path) => ({
      pointer: `#${encodeURI(path)}`,
      code: codeOf(fault),
      detail: detailOf(fault),
    })),
  )
  const summary = parts.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; ')
  return errors.body_invalid(summary, { details: { errors: parts } })
}

function parameterError(faults: readonly SchemaFault[]): Error {
  const parts = faults.flatMap((fault) =>
    pathsOf(fault).map((path) => ({
      parameter: path.slice(1),
      code: codeOf(fault),
      detail: detailOf(fault),
    })),
  )
  const summary = parts.map(({ parameter, detail }) => `${parameter}: ${detail}`).join('; ')
  return errors.parameter_invalid(summary, { details: { errors: parts } })
}

/** A missing member is reported where it should be, not on the object that lacks it. */
function pathsOf({ keyword, instancePath, params }: SchemaFault): readonly string[] {
  const missing = params['requiredProperties']
  if (keyword !== 'required' || !Array.isArray(missing)) return [instancePath]
  return missing.map((name) => `${instancePath}/${String(name)}`)
}

function codeOf({ keyword }: SchemaFault): string {
  if (keyword === 'required') return 'required'
  return keyword === 'boolean' ? 'unknown_field' : 'invalid'
}

function detailOf({ keyword, message, params }: SchemaFault): string {
  if (keyword === 'required') return 'this field is required'
  if (keyword === 'boolean') return 'unknown field'
  const allowed = params['allowedValues']
  return Array.isArray(allowed) ? `expected one of ${allowed.join(', ')}` : message
}
