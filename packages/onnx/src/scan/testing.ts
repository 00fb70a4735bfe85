/**
 * Writes protobuf bytes for tests, hostile ones included: unlike the codec it does what it is
 * told. Messages are given as lists of fields in the order in which they shall stand.
 */
export type Field = Uint8Array

export function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    const bits = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? bits : bits | 0x80)
  } while (rest !== 0n)
  return Uint8Array.from(bytes)
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export function tag(number: number, wire: number): Uint8Array {
  return varint(number * 8 + wire)
}

export function int(number: number, value: number | bigint): Field {
  return join(tag(number, 0), varint(value))
}

/** A length-delimited field: text, bytes, or a message given as its fields. */
export function bytes(number: number, payload: string | Uint8Array | readonly Field[]): Field {
  const body =
    typeof payload === 'string'
      ? new TextEncoder().encode(payload)
      : payload instanceof Uint8Array
        ? payload
        : join(...payload)
  return join(tag(number, 2), varint(body.length), body)
}

export function float32(number: number, value: number): Field {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setFloat32(0, value, true)
  return join(tag(number, 5), payload)
}

export function int64Bytes(...values: readonly (number | bigint)[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer)
}

const FLOAT = 1
export const INT64 = 7

export interface TensorSpec {
  readonly name?: string
  readonly dims?: readonly (number | bigint)[]
  readonly dataType?: number
  readonly raw?: Uint8Array
  readonly fields?: readonly Field[]
}

/** The fields of a TensorProto. */
export function tensor({
  name,
  dims = [],
  dataType = FLOAT,
  raw,
  fields = [],
}: TensorSpec): Field[] {
  return [
    ...dims.map((dim) => int(1, dim)),
    int(2, dataType),
    ...(name === undefined ? [] : [bytes(8, name)]),
    ...(raw === undefined ? [] : [bytes(9, raw)]),
    ...fields,
  ]
}

/** A float32 tensor whose data is the external file described by `entries`. */
export function externalTensor(
  name: string,
  dims: readonly number[],
  entries: Readonly<Record<string, string>>,
): Field[] {
  const external = Object.entries(entries).map(([key, value]) =>
    bytes(13, [bytes(1, key), bytes(2, value)]),
  )
  return tensor({ name, dims, fields: [...external, int(14, 1)] })
}

export interface NodeSpec {
  readonly op: string
  readonly name?: string
  readonly inputs?: readonly string[]
  readonly outputs?: readonly string[]
  readonly domain?: string
  readonly attributes?: readonly Field[]
}

/** The fields of a NodeProto. */
export function node(spec: NodeSpec): Field[] {
  return [
    ...(spec.inputs ?? []).map((name) => bytes(1, name)),
    ...(spec.outputs ?? []).map((name) => bytes(2, name)),
    ...(spec.name === undefined ? [] : [bytes(3, spec.name)]),
    bytes(4, spec.op),
    ...(spec.attributes ?? []),
    ...(spec.domain === undefined ? [] : [bytes(7, spec.domain)]),
  ]
}

/** A node's attribute field; `value` is the field that holds the value (`bytes(5, tensor(…))`). */
export function attribute(name: string, type: number, value: Field): Field {
  return bytes(5, [bytes(1, name), value, int(20, type)])
}

export function tensorAttribute(name: string, fields: readonly Field[]): Field {
  return attribute(name, 4, bytes(5, fields))
}

export function graphAttribute(name: string, fields: readonly Field[]): Field {
  return attribute(name, 5, bytes(6, fields))
}

export interface GraphSpec {
  readonly nodes?: readonly (readonly Field[])[]
  readonly initializers?: readonly (readonly Field[])[]
  readonly inputs?: readonly string[]
  readonly outputs?: readonly string[]
  readonly fields?: readonly Field[]
}

/** The fields of a GraphProto; inputs and outputs are float32 [1]. */
export function graph(spec: GraphSpec): Field[] {
  return [
    ...(spec.nodes ?? []).map((fields) => bytes(1, fields)),
    bytes(2, 'main'),
    ...(spec.initializers ?? []).map((fields) => bytes(5, fields)),
    ...(spec.inputs ?? []).map((name) => bytes(11, valueInfo(name, [1]))),
    ...(spec.outputs ?? []).map((name) => bytes(12, valueInfo(name, [1]))),
    ...(spec.fields ?? []),
  ]
}

export function valueInfo(name: string, dims: readonly (number | bigint)[]): Field[] {
  const shape = dims.map((dim) => bytes(1, [int(1, dim)]))
  return [bytes(1, name), bytes(2, [bytes(1, [int(1, FLOAT), bytes(2, shape)])])]
}

export interface FunctionSpec {
  readonly name: string
  readonly nodes: readonly (readonly Field[])[]
  readonly domain?: string
}

/** A function field of the model. */
export function func({ name, nodes, domain = 'local' }: FunctionSpec): Field {
  return bytes(25, [
    bytes(1, name),
    bytes(4, 'x'),
    bytes(5, 'y'),
    ...nodes.map((fields) => bytes(7, fields)),
    bytes(9, [bytes(1, ''), int(2, 17)]),
    bytes(10, domain),
  ])
}

export interface ModelSpec extends GraphSpec {
  readonly opsets?: Readonly<Record<string, number>>
  readonly functions?: readonly Field[]
  readonly irVersion?: number
}

/** The bytes of a model around one graph. */
export function modelBytes(spec: ModelSpec): Uint8Array {
  return join(
    int(1, spec.irVersion ?? 8),
    bytes(7, graph(spec)),
    ...Object.entries(spec.opsets ?? { '': 17 }).map(([domain, version]) =>
      bytes(8, [bytes(1, domain), int(2, version)]),
    ),
    ...(spec.functions ?? []),
  )
}

/** x → Relu → y */
export const RELU = node({ op: 'Relu', name: 'relu', inputs: ['x'], outputs: ['y'] })

/**
 * `levels` functions, each calling the one before `fanOut` times: fanOut^levels nodes when inlined
 * out of fanOut × levels written ones.
 */
export function functionBomb(levels: number, fanOut = 2): Uint8Array {
  const call = (op: string): Field[][] =>
    Array.from({ length: fanOut }, (_, index) =>
      node({
        op,
        domain: 'local',
        inputs: [index === 0 ? 'x' : `t${index}`],
        outputs: [index === fanOut - 1 ? 'y' : `t${index + 1}`],
      }),
    )
  const functions = Array.from({ length: levels }, (_, level) =>
    func({
      name: `f${level}`,
      nodes:
        level === 0 ? [node({ op: 'Relu', inputs: ['x'], outputs: ['y'] })] : call(`f${level - 1}`),
    }),
  )
  return modelBytes({
    nodes: call(`f${levels - 1}`),
    inputs: ['x'],
    outputs: ['y'],
    opsets: { '': 17, local: 1 },
    functions,
  })
}

/** If within If within If: the innermost graph stands `depth` graphs deep. */
export function nestedIf(depth: number): Uint8Array {
  let inner = graph({ nodes: [RELU], outputs: ['y'] })
  for (let level = 2; level < depth; level++)
    inner = graph({ nodes: [conditional(inner)], outputs: ['y'] })
  return modelBytes({ nodes: [conditional(inner)], inputs: ['x'], outputs: ['y'] })
}

function conditional(branch: readonly Field[]): Field[] {
  return node({
    op: 'If',
    name: 'choose',
    inputs: ['c'],
    outputs: ['y'],
    attributes: [graphAttribute('then_branch', branch), graphAttribute('else_branch', graph({}))],
  })
}
