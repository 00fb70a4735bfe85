// Small graphs for tests: model().input(…).node(…).output(…).build().
import { type DataType, type Tensor, tensorFromFloat32 } from '@pare/tensor'

import { attr } from './attributes.js'
import type {
  Attribute,
  Dimension,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  Value,
  ValueType,
} from './model.js'

/** A number is a size, a text a named size, null unknown. */
export type ShapeSpec = readonly (number | string | null)[]

/**
 * An attribute, or its value in short: an integer (number or bigint), a text, integers, texts.
 * Floats are always written `attr.float(…)`, since 1.0 is no different from 1.
 */
export type AttributeSpec =
  | Attribute
  | Tensor
  | Graph
  | number
  | bigint
  | string
  | readonly (number | bigint)[]
  | readonly string[]

export interface ModelOptions {
  /** Default 21. */
  readonly opset?: number
  /** Further operator sets, e.g. `{ 'com.microsoft': 1 }`. */
  readonly domains?: Readonly<Record<string, number>>
  /** Default 10. */
  readonly irVersion?: number
  readonly name?: string
}

/** A declared tensor value. */
export function tensorValue(name: string, dataType?: DataType, shape?: ShapeSpec): Value {
  return {
    name,
    metadataProps: [],
    ...(dataType === undefined ? {} : { type: tensorType(dataType, shape) }),
  }
}

function tensorType(dataType: DataType, shape?: ShapeSpec): ValueType {
  return {
    kind: 'tensor',
    elementType: dataType,
    ...(shape === undefined ? {} : { shape: shape.map(toDimension) }),
  }
}

function toDimension(size: number | string | null): Dimension {
  if (typeof size === 'number') return { size }
  return size === null ? {} : { param: size }
}

export function model(options: ModelOptions = {}): ModelBuilder {
  return new ModelBuilder(options)
}

export class ModelBuilder {
  private readonly options: ModelOptions
  private readonly nodes: Node[] = []
  private readonly inputs: Value[] = []
  private readonly outputs: Value[] = []
  private readonly valueInfo: Value[] = []
  private readonly initializers = new Map<string, Tensor>()
  private readonly functions: FunctionDefinition[] = []

  constructor(options: ModelOptions) {
    this.options = options
  }

  input(name: string, dataType: DataType = 'float32', shape?: ShapeSpec): this {
    this.inputs.push(tensorValue(name, dataType, shape))
    return this
  }

  output(name: string, dataType: DataType = 'float32', shape?: ShapeSpec): this {
    this.outputs.push(tensorValue(name, dataType, shape))
    return this
  }

  value(name: string, dataType: DataType, shape?: ShapeSpec): this {
    this.valueInfo.push(tensorValue(name, dataType, shape))
    return this
  }

  initializer(name: string, tensor: Tensor): this {
    this.initializers.set(name, tensor)
    return this
  }

  /** A float32 initializer. */
  floats(name: string, dims: readonly number[], values: ArrayLike<number>): this {
    return this.initializer(name, tensorFromFloat32(dims, Float32Array.from(values)))
  }

  /** `opType` may carry its domain, as in `com.microsoft::Gelu`. */
  node(
    opType: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, AttributeSpec>> = {},
  ): this {
    const [name, domain = ''] = opType.split('::').reverse()
    this.nodes.push({
      name: '',
      opType: name!,
      domain,
      inputs,
      outputs,
      attributes: new Map(
        Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)]),
      ),
      metadataProps: [],
    })
    return this
  }

  /** Names the node added last. */
  named(name: string): this {
    const node = this.nodes.pop()
    if (node === undefined) throw new Error('there is no node to name')
    this.nodes.push({ ...node, name })
    return this
  }

  function(definition: FunctionDefinition): this {
    this.functions.push(definition)
    return this
  }

  graph(): Graph {
    return {
      name: this.options.name ?? 'test',
      nodes: this.nodes,
      inputs: this.inputs,
      outputs: this.outputs,
      valueInfo: this.valueInfo,
      initializers: this.initializers,
      sparseInitializers: [],
      metadataProps: [],
    }
  }

  build(): Model {
    const { opset = 21, irVersion = 10, domains = {} } = this.options
    return {
      irVersion,
      opsetImports: [
        { domain: '', version: opset },
        ...Object.entries(domains).map(([domain, version]) => ({ domain, version })),
      ],
      metadataProps: [],
      graph: this.graph(),
      functions: this.functions,
    }
  }
}

function toAttribute(spec: AttributeSpec): Attribute {
  if (typeof spec === 'number' || typeof spec === 'bigint') return attr.int(spec)
  if (typeof spec === 'string') return attr.string(spec)
  if (Array.isArray(spec)) {
    const list = spec as readonly (number | bigint | string)[]
    return list.every((value) => typeof value === 'string')
      ? list.length === 0
        ? attr.ints([])
        : attr.strings(list)
      : attr.ints(list as readonly (number | bigint)[])
  }
  if ('dataType' in spec) return attr.tensor(spec)
  if ('nodes' in spec) return attr.graph(spec)
  return spec as Attribute
}
