// What tables and sets of operators are made of. A table about operators is called
// `<concern>-table.ts`; its keys are checked against the closed lists beside this file.
import type { Node } from '@pare/graph'

import { CLASSICAL_ML_OP_TYPES } from './classical-ml-op-types.js'
import { MICROSOFT_OP_TYPES, type MicrosoftOpType } from './microsoft-op-types.js'
import { OP_VERSIONS, type OpType } from './op-versions.js'

/** The domain of onnxruntime's own operators. */
export const MICROSOFT_DOMAIN = 'com.microsoft'

export type OpName = Pick<Node, 'opType' | 'domain'>

/** Rows about some operators of the default domain. */
export type OpTable<Row> = Readonly<Partial<Record<OpType, Row>>>

/** Rows about some operators of com.microsoft. */
export type MicrosoftOpTable<Row> = Readonly<Partial<Record<MicrosoftOpType, Row>>>

/** An operator of either domain, as `Conv` or `com.microsoft.FusedConv`. */
export type OpKey = OpType | `com.microsoft.${MicrosoftOpType}`

/** Rows about some operators of both domains. */
export type OpKeyTable<Row> = Readonly<Partial<Record<OpKey, Row>>>

/** The row of an operator of the default domain; undefined where the table has none. */
export function opRow<Row>(table: OpTable<Row>, { opType, domain }: OpName): Row | undefined {
  return domain === '' ? ownRow(table, opType) : undefined
}

/** The row of an operator of com.microsoft; undefined where the table has none. */
export function microsoftOpRow<Row>(
  table: MicrosoftOpTable<Row>,
  { opType, domain }: OpName,
): Row | undefined {
  return domain === MICROSOFT_DOMAIN ? ownRow(table, opType) : undefined
}

/** The row of an operator of either domain; undefined where the table has none. */
export function opKeyRow<Row>(table: OpKeyTable<Row>, node: OpName): Row | undefined {
  return ownRow(table, opKey(node))
}

/** `Conv`, `com.microsoft.FusedConv`: how tables and messages name an operator. */
export function opKey({ opType, domain }: OpName): string {
  return domain === '' ? opType : `${domain}.${opType}`
}

/** A set of operators of the default domain. It may be asked about any name. */
export function opSet(...opTypes: readonly OpType[]): ReadonlySet<string> {
  return new Set(opTypes)
}

/** Every operator that is known, by domain, in alphabetical order. */
export const KNOWN_OP_TYPES: ReadonlyMap<string, readonly string[]> = new Map<
  string,
  readonly string[]
>([
  ['', Object.keys(OP_VERSIONS)],
  ['ai.onnx.ml', CLASSICAL_ML_OP_TYPES],
  [MICROSOFT_DOMAIN, MICROSOFT_OP_TYPES],
])

export function isMicrosoftOpType(name: string): name is MicrosoftOpType {
  return (MICROSOFT_OP_TYPES as readonly string[]).includes(name)
}

/** A row by name alone. Names come from strangers' models: `constructor` must find nothing. */
export function ownRow<Row>(table: Readonly<Record<string, Row | undefined>>, name: string) {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
