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
  readonly trainingInfo?: readonly TrainingInfo[]
  readonly deviceConfigurations?: readonly DeviceConfiguration[]
}

/** How the model says it was trained; kept as it is, never run. */
export interface TrainingInfo {
  readonly initialization?: Graph
  readonly algorithm?: Graph
  readonly initializationBinding: readonly MetadataProp[]
  readonly updateBinding: readonly MetadataProp[]
}

export interface DeviceConfiguration {
  readonly name: string
  readonly numDevices: number
  readonly devices: readonly string[]
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
  readonly quantizationAnnotations?: readonly QuantizationAnnotation[]
  readonly metadataProps: readonly MetadataProp[]
}

/** Names of a value's quantization parameters, by keys such as `SCALE_TENSOR`. */
export interface QuantizationAnnotation {
  readonly tensorName: string
  readonly parameters: readonly MetadataProp[]
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
  readonly deviceConfigurations?: readonly NodeDeviceConfiguration[]
}

export interface NodeDeviceConfiguration {
  readonly configurationId: string
  readonly pipelineStage?: number
  readonly shardingSpecs: readonly ShardingSpec[]
}

/** How one tensor of a node is spread over devices (onnx.proto, ShardingSpecProto). */
export interface ShardingSpec {
  readonly tensorName: string
  readonly devices: readonly bigint[]
  readonly deviceGroups: readonly { readonly key: bigint; readonly values: readonly bigint[] }[]
  readonly shardedDims: readonly {
    readonly axis: bigint
    readonly simpleShardings: readonly {
      /** A size, a name, or unknown. */
      readonly dim?: bigint | string
      readonly numShards: bigint
    }[]
  }[]
}

export type Attribute = AttributeValue & { readonly docString?: string }

export type AttributeValue =
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
      /** Type of the value as the file states it, `undefined` where it does not. */
      readonly referencedType: AttributeTypeName | 'undefined'
    }

/** The kinds of value an attribute can hold. */
export type AttributeTypeName =
  | 'float'
  | 'int'
  | 'string'
  | 'tensor'
  | 'sparse_tensor'
  | 'graph'
  | 'type'
  | 'floats'
  | 'ints'
  | 'strings'
  | 'tensors'
  | 'sparse_tensors'
  | 'graphs'
  | 'types'

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
  | {
      /** The file has a type that does not say of what: no element type, perhaps a shape. */
      readonly kind: 'unknown'
      readonly container?: 'tensor' | 'sparse_tensor'
      readonly shape?: readonly Dimension[]
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
