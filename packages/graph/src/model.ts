import type { DataType, Tensor } from '@pare/tensor'

/**
 * The ONNX model as plain readonly data. Edges are value names, as in ONNX; an empty name is an
 * omitted optional input or output. Producers and consumers are derived by `indexGraph`, never
 * stored. Nothing here is changed after creation, so copies share tensors and attribute maps.
 */
export interface Model {
  readonly irVersion: number
  readonly opsetImports: readonly OpsetImport[]
  readonly producerName?: string
  readonly producerVersion?: string
  readonly domain?: string
  readonly modelVersion?: bigint
  readonly docString?: string
  readonly metadataProps: readonly MetadataProp[]
  readonly graph: Graph
  readonly functions: readonly FunctionDefinition[]
}

export interface OpsetImport {
  /** '' is the default domain `ai.onnx`. */
  readonly domain: string
  readonly version: number
}

export interface MetadataProp {
  readonly key: string
  readonly value: string
}

export interface Graph {
  readonly name: string
  readonly docString?: string
  /** In topological order. */
  readonly nodes: readonly Node[]
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  /** Types of inner values, where the file states them. */
  readonly valueInfo: readonly Value[]
  readonly initializers: ReadonlyMap<string, Tensor>
  readonly sparseInitializers: readonly SparseTensor[]
  readonly metadataProps: readonly MetadataProp[]
}

export interface SparseTensor {
  readonly name: string
  readonly values: Tensor
  readonly indices: Tensor
  readonly dims: readonly number[]
}

export interface Node {
  readonly name: string
  readonly opType: string
  /** '' is `ai.onnx`. */
  readonly domain: string
  readonly overload?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, Attribute>
  readonly docString?: string
  readonly metadataProps: readonly MetadataProp[]
}

export type Attribute =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: Uint8Array }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'sparse_tensor'; readonly value: SparseTensor }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'type'; readonly value: ValueType }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly type: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly type: 'sparse_tensors'; readonly value: readonly SparseTensor[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  | { readonly type: 'types'; readonly value: readonly ValueType[] }
  | {
      /** Inside a function body: takes the value of the caller's attribute `name`. */
      readonly type: 'reference'
      readonly name: string
      readonly referencedType: string
    }

export interface Value {
  readonly name: string
  /** Absent where the file does not say. */
  readonly type?: ValueType
  readonly docString?: string
  readonly metadataProps: readonly MetadataProp[]
}

export type ValueType =
  | {
      readonly kind: 'tensor' | 'sparse_tensor'
      readonly elementType: DataType
      /** Absent: unknown rank. */
      readonly shape?: readonly Dimension[]
      readonly denotation?: string
    }
  | { readonly kind: 'sequence'; readonly element: ValueType; readonly denotation?: string }
  | { readonly kind: 'optional'; readonly element: ValueType; readonly denotation?: string }
  | {
      readonly kind: 'map'
      readonly keyType: DataType
      readonly value: ValueType
      readonly denotation?: string
    }
  | {
      readonly kind: 'opaque'
      readonly domain: string
      readonly name: string
      readonly denotation?: string
    }

/** A fixed size, a named size (`dim_param`), or unknown. */
export interface Dimension {
  readonly size?: number
  readonly param?: string
  readonly denotation?: string
}

export interface FunctionDefinition {
  readonly name: string
  readonly domain: string
  readonly overload?: string
  readonly docString?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Names of attributes without a default. */
  readonly attributes: readonly string[]
  /** Attributes with a default. */
  readonly attributeDefaults: ReadonlyMap<string, Attribute>
  readonly nodes: readonly Node[]
  readonly opsetImports: readonly OpsetImport[]
  readonly valueInfo: readonly Value[]
  readonly metadataProps: readonly MetadataProp[]
}
