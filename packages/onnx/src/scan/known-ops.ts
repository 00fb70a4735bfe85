/**
 * Which operators an upload may use, per domain: those of the closed lists in @pare/ops that are not
 * denied here. Any other is refused by name before onnxruntime sees the file. A test holds the names
 * that are accepted, so that a new entry of a list does not widen them unseen.
 */
import { KNOWN_OP_TYPES, NEWEST_CLASSICAL_ML_OPSET, NEWEST_OPSET, opSet } from '@pare/ops'

import { microsoftUploadTable } from './microsoft-upload-table.js'

/** Known to ONNX and left out: ImageDecoder decodes images of unknown origin. */
const DENIED_OPS = opSet('ImageDecoder')

const DENIED_MICROSOFT_OPS: ReadonlySet<string> = new Set(
  Object.entries(microsoftUploadTable)
    .filter(([, isAccepted]) => !isAccepted)
    .map(([opType]) => opType),
)

/** Operators that run a graph given as an attribute. */
export const CONTROL_FLOW_OPS = opSet('If', 'Loop', 'Scan', 'SequenceMap')

/** onnxruntime refuses models below opset 7 and above the newest that it knows. */
export const onnxOpsetRange = { min: 7, max: NEWEST_OPSET } as const

export interface KnownDomain {
  readonly ops: ReadonlySet<string>
  readonly denied: ReadonlySet<string>
  readonly maxVersion: number
}

function knownDomain(domain: string, denied: ReadonlySet<string>, maxVersion: number): KnownDomain {
  const names = KNOWN_OP_TYPES.get(domain) ?? []
  return { ops: new Set(names.filter((name) => !denied.has(name))), denied, maxVersion }
}

/** Domains whose operators can be accepted. Others are custom unless listed as internal. */
export const KNOWN_DOMAINS: ReadonlyMap<string, KnownDomain> = new Map([
  ['', knownDomain('', DENIED_OPS, onnxOpsetRange.max)],
  ['ai.onnx.ml', knownDomain('ai.onnx.ml', new Set(), NEWEST_CLASSICAL_ML_OPSET)],
  ['com.microsoft', knownDomain('com.microsoft', DENIED_MICROSOFT_OPS, 1)],
])

/** Domains of ONNX and onnxruntime that no upload may use: layouts of one machine, training. */
export const INTERNAL_DOMAINS = words(`
  ai.onnx.preview ai.onnx.preview.training ai.onnx.training com.microsoft.dml
  com.microsoft.experimental com.microsoft.nchwc com.ms.internal.nhwc
`)

/** `ai.onnx` is another spelling of the default domain. */
export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

/** Domains in which an upload may not define functions: it could replace a known operator. */
export function isReservedDomain(domain: string): boolean {
  return KNOWN_DOMAINS.has(domain) || INTERNAL_DOMAINS.has(domain)
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''))
}
