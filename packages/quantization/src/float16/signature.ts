// Which inputs and outputs of an operator share a float type, and whether that type may be narrow.
import type { Node } from '@pare/graph'
import { microsoftOpRow, opRow } from '@pare/ops'
import type { NarrowType } from '@pare/recipe'
import type { DataType } from '@pare/tensor'

import { float16SignatureTable, microsoftFloat16SignatureTable } from './float16-signature-table.js'

/** `other`: some type that is never float32. `unknown`: it may be anything. */
export type KnownType = DataType | 'other' | 'unknown'

export type Port =
  | { readonly kind: 'fixed'; readonly type: KnownType }
  | { readonly kind: 'variable'; readonly name: string }

export interface Signature {
  readonly input: (position: number) => Port
  readonly output: (position: number) => Port
  /** Whether the type variable may be the narrow type. */
  readonly allows: (variable: string, type: NarrowType) => boolean
}

const FLAGS: Readonly<Record<NarrowType, string>> = { float16: 'h', bfloat16: 'b' }

const FIXED: Readonly<Record<string, KnownType>> = {
  f: 'float32',
  b: 'bool',
  i: 'int64',
  '-': 'other',
}

/** Undefined for operators that the tables do not know. */
export function signatureOf(node: Node, version: number): Signature | undefined {
  const text =
    opRow<string>(float16SignatureTable, node) ??
    microsoftOpRow<string>(microsoftFloat16SignatureTable, node)
  const rows = text?.split(' | ')
  const row = rows?.filter((row) => Number.parseInt(row, 10) <= version).at(-1) ?? rows?.[0]
  return row === undefined ? undefined : parseSignature(row)
}

/** Reads `opset inputs>outputs variables`, as the head of float16-signature-table.ts describes. */
function parseSignature(text: string): Signature {
  const [, ports = '', variables = ''] = text.split(' ')
  const [inputs = '', outputs = ''] = ports.split('>')
  const flags = new Map(
    variables.split(',').map((variable) => [variable.slice(0, 1), variable.slice(1)]),
  )
  return {
    input: portReader(inputs),
    output: portReader(outputs),
    allows: (variable, type) => flags.get(variable)?.includes(FLAGS[type]) ?? false,
  }
}

function portReader(text: string): (position: number) => Port {
  const repeats = text.endsWith('*')
  const codes = repeats ? text.slice(0, -1) : text
  return (position) => {
    const code = codes[repeats ? Math.min(position, codes.length - 1) : position] ?? '-'
    const type = FIXED[code]
    return type === undefined ? { kind: 'variable', name: code } : { kind: 'fixed', type }
  }
}
