/**
 * The scanner for hostile uploads: reads a model's wire format, before any protobuf library or
 * onnxruntime does, and refuses what could hurt them. Rules, in order:
 * 1. the encoding has one meaning only (read-message.ts);
 * 2. counts, depths and sizes stay within limits, checked as they are met (limits.ts);
 * 3. every tensor's data fits its type and dimensions; external data lies in the upload;
 * 4. every operator is known and accepted; functions neither recur nor multiply.
 * Work is bounded by `maxFields` and by the bytes of names and typed data; tensor bytes are skipped.
 */
import { CodedError } from '@pare/errors'

import { type Body, newBody } from './body.js'
import { type ByteSource, bytesSource } from './byte-source.js'
import { checkOperators } from './check-operators.js'
import { scanErrors } from './errors.js'
import { expandFunctions, type Expansion } from './expand-functions.js'
import {
  DEFAULT_SCAN_LIMITS,
  DEFAULT_SCAN_POLICY,
  type ScanLimits,
  type ScanPolicy,
} from './limits.js'
import { type Place, rootPlace } from './place.js'
import { checkText, readMessage, type WireField } from './read-message.js'
import { child, newCounts, refuse, type ScanContext } from './scan-context.js'
import { scanFunction } from './scan-function.js'
import { scanGraph } from './scan-graph.js'
import { readOpsetImport } from './scan-opset.js'
import { opCounts, type ScanReport } from './scan-report.js'
import { SNIFF_BYTES, sniffFormat } from './sniff-format.js'
import { checkStaticClaims } from './static-claims.js'
import { type ByteRange, WireReader } from './wire-reader.js'
import { MODEL, TRAINING_INFO } from './wire-schema.js'

export interface ScanOptions {
  readonly limits?: Partial<ScanLimits>
  readonly policy?: Partial<ScanPolicy>
  /** Files uploaded with the model, by name, with their sizes in bytes. */
  readonly members?: ReadonlyMap<string, number>
}

/**
 * Scans a model given as bytes or as a source of bytes.
 *
 * @throws CodedError with a code of `scanErrors`; `details.place` names the part of the model.
 */
export function scanModel(model: Uint8Array | ByteSource, options: ScanOptions = {}): ScanReport {
  const source = model instanceof Uint8Array ? bytesSource(model) : model
  const context = newContext(source, options)
  if (source.size > context.limits.maxFileBytes) {
    const reason = `the file has ${source.size} bytes, the limit is ${context.limits.maxFileBytes}`
    throw scanErrors.model_file_too_large(reason)
  }
  const parts = readTopLevel(context)
  checkIrVersion(context, parts)
  const root = rootPlace(source.size)
  const imports = new Map<string, bigint>()
  for (const range of parts.opsetImports) readOpsetImport(context, range, root, imports)

  const main = scanMainGraph(context, parts, imports)
  const functions = scanFunctions(context, root, parts)
  scanTrainingInfo(context, root, parts)
  const expansion = checkBodies(context, main, functions)
  checkStaticClaims(context)
  return report(context, parts, main, { functions, expansion })
}

function newContext(source: ByteSource, options: ScanOptions): ScanContext {
  const members = options.members ?? new Map<string, number>()
  const limits = { ...DEFAULT_SCAN_LIMITS, ...options.limits }
  const uploaded = [...members.values()].reduce((sum, bytes) => sum + bytes, source.size)
  const shared = Math.max(limits.maxSharedBytes, 2 * uploaded)
  return {
    source,
    reader: new WireReader(source),
    limits: { ...limits, maxTensorBytes: Math.min(limits.maxTensorBytes, shared) },
    policy: { ...DEFAULT_SCAN_POLICY, ...options.policy },
    members,
    counts: newCounts(),
    claims: [],
  }
}

/** The outermost fields. They are few, so they are indexed first and read in a useful order. */
interface ModelParts {
  irVersion: bigint
  graph?: ByteRange
  readonly opsetImports: ByteRange[]
  readonly functions: ByteRange[]
  readonly trainingInfo: ByteRange[]
}

const MAX_TRAINING_INFO = 16

function readTopLevel(context: ScanContext): ModelParts {
  const parts: ModelParts = { irVersion: 0n, opsetImports: [], functions: [], trainingInfo: [] }
  const root = rootPlace(context.source.size)
  try {
    if (context.source.size === 0) throw refuse(context, 'graph_missing', root, 'no bytes')
    readMessage(context, MODEL, root, (field) => notePart(context, root, field, parts))
  } catch (error) {
    throw error instanceof CodedError ? explainTopLevel(context, parts, error) : error
  }
  if (parts.graph === undefined) {
    throw explainTopLevel(context, parts, refuse(context, 'graph_missing', root, 'no graph'))
  }
  return parts
}

function notePart(context: ScanContext, root: Place, field: WireField, parts: ModelParts): void {
  switch (field.name) {
    case 'ir_version':
      parts.irVersion = field.value
      return
    case 'graph':
      parts.graph = field
      return
    case 'opset_import':
      parts.opsetImports.push(field)
      return
    case 'functions':
      parts.functions.push(field)
      if (parts.functions.length > context.limits.maxFunctions) {
        const reason = `more than ${context.limits.maxFunctions} functions`
        throw refuse(context, 'too_many_functions', root, reason)
      }
      return
    case 'training_info':
      parts.trainingInfo.push(field)
      if (parts.trainingInfo.length > MAX_TRAINING_INFO) {
        throw refuse(context, 'too_many_values', root, 'too many training_info')
      }
      return
    default: {
      checkText(context, field, root)
      return
    }
  }
}

const ENCODING_CODES = new Set([
  'graph_missing',
  'protobuf_malformed',
  'wire_type_unsupported',
  'wire_type_mismatch',
  'varint_invalid',
  'unknown_field',
])

/**
 * Broken bytes between the outermost fields mean different things: before the graph the file was
 * no ONNX model at all, behind a whole model it has a foreign tail.
 */
function explainTopLevel(context: ScanContext, parts: ModelParts, error: CodedError): CodedError {
  const isPlausible = parts.irVersion > 0n
  if (parts.graph === undefined && (!isPlausible || ENCODING_CODES.has(error.code))) {
    if (isPlausible && error.code === 'graph_missing') return error
    const head = context.source.size === 0 ? new Uint8Array(0) : readHead(context.source)
    const what = sniffFormat(head)
    return scanErrors.not_onnx(
      what === undefined ? 'the bytes do not start like an ONNX model' : `this looks like ${what}`,
      { cause: error },
    )
  }
  const isComplete = parts.graph !== undefined && parts.opsetImports.length > 0
  if (isComplete && ENCODING_CODES.has(error.code)) {
    return scanErrors.trailing_garbage(`behind a whole model: ${error.message}`, { cause: error })
  }
  return error
}

function readHead(source: ByteSource): Uint8Array {
  return source.read(0, Math.min(SNIFF_BYTES, source.size))
}

function checkIrVersion(context: ScanContext, parts: ModelParts): void {
  const { minIrVersion, maxIrVersion } = context.limits
  const version = parts.irVersion
  if (version >= BigInt(minIrVersion) && version <= BigInt(maxIrVersion)) return
  const reason = `IR version ${version} is outside ${minIrVersion} to ${maxIrVersion}`
  throw refuse(context, 'ir_version_unsupported', rootPlace(context.source.size), reason)
}

function scanMainGraph(
  context: ScanContext,
  parts: ModelParts,
  imports: ReadonlyMap<string, bigint>,
): Body {
  const root = rootPlace(context.source.size)
  const place = child(root, 'graph', parts.graph ?? root.range)
  const body = newBody(place, imports)
  scanGraph(context, place, { body, depth: 1, scope: { constants: new Map() } })
  return body
}

function scanFunctions(context: ScanContext, root: Place, parts: ModelParts): Map<string, Body> {
  const functions = new Map<string, Body>()
  for (const [index, range] of parts.functions.entries()) {
    scanFunction(context, child(root, 'functions', range, { index, nameField: 1 }), functions)
  }
  context.counts.functions = functions.size
  return functions
}

/** Nothing reads training_info, but a decoder walks it: its graphs obey the same limits. */
function scanTrainingInfo(context: ScanContext, root: Place, parts: ModelParts): void {
  for (const [index, range] of parts.trainingInfo.entries()) {
    const place = child(root, 'training_info', range, { index })
    readMessage(context, TRAINING_INFO, place, (field) => {
      if (field.name !== 'initialization' && field.name !== 'algorithm') {
        checkText(context, field, place)
        return
      }
      const graph = child(place, field.name, field)
      const body = newBody(graph, new Map())
      scanGraph(context, graph, { body, depth: 1, scope: { constants: new Map() } })
    })
  }
}

function checkBodies(
  context: ScanContext,
  main: Body,
  functions: ReadonlyMap<string, Body>,
): Expansion {
  for (const body of [main, ...functions.values()]) {
    checkOperators(context, body, main.imports, functions)
  }
  return expandFunctions(context, main, functions)
}

interface ReportParts {
  readonly functions: ReadonlyMap<string, Body>
  readonly expansion: Expansion
}

function report(
  { source, reader, counts }: ScanContext,
  parts: ModelParts,
  main: Body,
  { functions, expansion }: ReportParts,
): ScanReport {
  return {
    fileBytes: source.size,
    irVersion: Number(parts.irVersion),
    opsets: [...main.imports].map(([domain, version]) => ({ domain, version: Number(version) })),
    nodes: counts.nodes,
    initializers: counts.initializers,
    functions: functions.size,
    deepestGraph: expansion.depth,
    expandedNodes: expansion.nodes,
    ops: opCounts([main, ...functions.values()], functions),
    tensorBytes: Number(counts.tensorBytes),
    externalMembers: [...counts.membersUsed].sort(),
    work: { fields: counts.fields, bytesFetched: reader.bytesFetched },
  }
}
