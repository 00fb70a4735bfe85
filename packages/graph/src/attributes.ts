// Attributes of nodes: makers for new ones, getters that check the type. A getter with a default
// never returns undefined; a reference (inside function bodies) counts as a type mismatch.
import type { Tensor } from '@pare/tensor'

import { errors } from './errors.js'
import type { Attribute, Graph, Node, ValueType } from './model.js'

/** Makers of attributes. Texts become UTF-8, integers bigint. */
export const attr = {
  float: (value: number): Attribute => ({ type: 'float', value: Math.fround(value) }),
  floats: (values: Iterable<number>): Attribute => ({
    type: 'floats',
    value: Array.from(values, Math.fround),
  }),
  graph: (value: Graph): Attribute => ({ type: 'graph', value }),
  int: (value: number | bigint): Attribute => ({ type: 'int', value: BigInt(value) }),
  ints: (values: Iterable<number | bigint>): Attribute => ({
    type: 'ints',
    value: Array.from(values, (value) => BigInt(value)),
  }),
  string: (value: string): Attribute => ({ type: 'string', value: utf8.encode(value) }),
  strings: (values: Iterable<string>): Attribute => ({
    type: 'strings',
    value: Array.from(values, (value) => utf8.encode(value)),
  }),
  tensor: (value: Tensor): Attribute => ({ type: 'tensor', value }),
  type: (value: ValueType): Attribute => ({ type: 'type', value }),
} as const

const utf8 = new TextEncoder()
const utf8Decoder = new TextDecoder()

/** `attributes({ axis: attr.int(1) })`: the map a node wants. */
export function attributes(
  record: Readonly<Record<string, Attribute>>,
): ReadonlyMap<string, Attribute> {
  return new Map(Object.entries(record))
}

interface ValueTypes {
  readonly float: number
  readonly floats: readonly number[]
  readonly graph: Graph
  readonly int: bigint
  readonly ints: readonly bigint[]
  readonly string: Uint8Array
  readonly strings: readonly Uint8Array[]
  readonly tensor: Tensor
}

function read<Type extends keyof ValueTypes>(
  node: Node,
  name: string,
  type: Type,
): ValueTypes[Type] | undefined {
  const attribute = node.attributes.get(name)
  if (attribute === undefined) return undefined
  if (attribute.type !== type) {
    throw errors.attribute_type_mismatch(
      `attribute "${name}" of ${describeNode(node)} is ${attribute.type}, not ${type}`,
      { details: { node: node.name, attribute: name } },
    )
  }
  return attribute.value as ValueTypes[Type]
}

function toNumber(node: Node, name: string, value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) {
    throw errors.attribute_type_mismatch(
      `attribute "${name}" of ${describeNode(node)} is ${value.toString()}, too large to use`,
      { details: { node: node.name, attribute: name } },
    )
  }
  return number
}

export function intAttribute(node: Node, name: string): number | undefined
export function intAttribute(node: Node, name: string, fallback: number): number
export function intAttribute(node: Node, name: string, fallback?: number): number | undefined {
  const value = read(node, name, 'int')
  return value === undefined ? fallback : toNumber(node, name, value)
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined
export function intsAttribute(
  node: Node,
  name: string,
  fallback: readonly number[],
): readonly number[]
export function intsAttribute(
  node: Node,
  name: string,
  fallback?: readonly number[],
): readonly number[] | undefined {
  return read(node, name, 'ints')?.map((value) => toNumber(node, name, value)) ?? fallback
}

export function floatAttribute(node: Node, name: string): number | undefined
export function floatAttribute(node: Node, name: string, fallback: number): number
export function floatAttribute(node: Node, name: string, fallback?: number): number | undefined {
  return read(node, name, 'float') ?? fallback
}

export function floatsAttribute(node: Node, name: string): readonly number[] | undefined
export function floatsAttribute(
  node: Node,
  name: string,
  fallback: readonly number[],
): readonly number[]
export function floatsAttribute(
  node: Node,
  name: string,
  fallback?: readonly number[],
): readonly number[] | undefined {
  return read(node, name, 'floats') ?? fallback
}

export function stringAttribute(node: Node, name: string): string | undefined
export function stringAttribute(node: Node, name: string, fallback: string): string
export function stringAttribute(node: Node, name: string, fallback?: string): string | undefined {
  const value = read(node, name, 'string')
  return value === undefined ? fallback : utf8Decoder.decode(value)
}

export function stringsAttribute(node: Node, name: string): readonly string[] | undefined
export function stringsAttribute(
  node: Node,
  name: string,
  fallback: readonly string[],
): readonly string[]
export function stringsAttribute(
  node: Node,
  name: string,
  fallback?: readonly string[],
): readonly string[] | undefined {
  return read(node, name, 'strings')?.map((value) => utf8Decoder.decode(value)) ?? fallback
}

export function tensorAttribute(node: Node, name: string): Tensor | undefined {
  return read(node, name, 'tensor')
}

export function graphAttribute(node: Node, name: string): Graph | undefined {
  return read(node, name, 'graph')
}

/** The value of a getter without default, for an attribute that the operator requires. */
export function required<T>(value: T | undefined, node: Node, name: string): T {
  if (value !== undefined) return value
  throw errors.attribute_type_mismatch(`${describeNode(node)} lacks its attribute "${name}"`, {
    details: { node: node.name, attribute: name },
  })
}

/** `Conv "conv1"`, or by its first output where the node has no name: for messages. */
export function describeNode(node: Node): string {
  return `${node.opType} "${nodeLabel(node)}"`
}

/** The node's name, or its first output where it has none: for `Diagnostic.node`. */
export function nodeLabel(node: Node): string {
  return node.name !== '' ? node.name : (node.outputs.find((name) => name !== '') ?? '')
}
