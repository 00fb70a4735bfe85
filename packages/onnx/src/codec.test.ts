// decode(encode(m)) = m over models that use every field of the IR.
import type {
  Attribute,
  AttributeTypeName,
  Dimension,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  NodeDeviceConfiguration,
  SparseTensor,
  TrainingInfo,
  Value,
  ValueType,
} from '@pare/graph'
import { model } from '@pare/graph/testing'
import {
  byteLengthOf,
  DATA_TYPES,
  type DataType,
  elementCount,
  type Tensor,
  type TensorData,
} from '@pare/tensor'
import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, it } from 'vitest'

import { decodeModel } from './decode/decode-model.js'
import { encodeModel, encodeModelChunks } from './encode/encode-model.js'

const text = fc.string({ unit: 'binary', maxLength: 6 })
const size = fc.nat({ max: 300 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const float = fc.float()
const bytes = fc.uint8Array({ maxLength: 8 })
const dataType = fc.constantFrom(...DATA_TYPES)
const domain = fc.constantFrom('', 'com.microsoft', 'ai.onnx.ml')
const entry = fc.record({ key: text, value: text })
const entries = fc.array(entry, { maxLength: 2 })
const list = <T>(item: Arbitrary<T>, maxLength = 3) => fc.array(item, { maxLength })

/** A record whose `optional` keys may be absent. */
function record<R extends object, O extends object>(
  required: { [K in keyof R]: Arbitrary<R[K]> },
  optional: { [K in keyof O]: Arbitrary<O[K]> },
): Arbitrary<R & Partial<O>> {
  return fc
    .tuple(fc.record(required), fc.record(optional, { requiredKeys: [] }))
    .map(([a, b]) => ({ ...a, ...b }) as R & Partial<O>)
}

const dims = list(fc.nat({ max: 4 }))

function data(type: DataType, shape: readonly number[]): Arbitrary<TensorData> {
  const count = elementCount(shape)
  if (type === 'string') {
    return fc.record({
      kind: fc.constant('strings' as const),
      strings: fc.array(bytes, { minLength: count, maxLength: count }),
    })
  }
  const length = byteLengthOf(type, count)
  return fc.oneof(
    fc.record({
      kind: fc.constant('bytes' as const),
      bytes: fc.uint8Array({ minLength: length, maxLength: length }),
    }),
    record(
      {
        kind: fc.constant('external' as const),
        location: text,
        offset: fc.maxSafeNat(),
        length: fc.maxSafeNat(),
      },
      { checksum: text, otherEntries: fc.constant([{ key: 'prepacked_0', value: '1' }]) },
    ),
  )
}

const nonEmptyText = fc.string({ minLength: 1, maxLength: 6 })
const nonEmptyEntries = fc.array(entry, { minLength: 1, maxLength: 2 })

const unnamedTensor: Arbitrary<Tensor> = fc
  .tuple(dataType, dims)
  .chain(([type, shape]) =>
    record(
      { dataType: fc.constant(type), dims: fc.constant(shape), data: data(type, shape) },
      { docString: text, metadataProps: nonEmptyEntries },
    ),
  )

const tensor: Arbitrary<Tensor> = fc
  .tuple(unnamedTensor, fc.option(nonEmptyText, { nil: undefined }))
  .map(([plain, name]) => (name === undefined ? plain : { ...plain, name }))

const sparseTensor: Arbitrary<SparseTensor> = fc
  .tuple(unnamedTensor, tensor, dims, nonEmptyText)
  .map(([values, indices, shape, name]) => ({
    name,
    values: { ...values, name },
    indices,
    dims: shape,
  }))

const dimension: Arbitrary<Dimension> = fc.oneof(
  record({}, { denotation: text }),
  record({ size: fc.integer({ min: -1, max: 1e9 }) }, { denotation: text }),
  record({ param: text }, { denotation: text }),
)
const shape = list(dimension)

const { type } = fc.letrec<{ type: ValueType }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small' },
    record(
      {
        kind: fc.constantFrom('tensor' as const, 'sparse_tensor' as const),
        elementType: dataType,
      },
      { shape, denotation: text },
    ),
    record(
      { kind: fc.constant('unknown' as const) },
      { container: fc.constantFrom('tensor' as const, 'sparse_tensor' as const), denotation: text },
    ),
    record(
      { kind: fc.constant('opaque' as const), domain: text, name: text },
      { denotation: text },
    ),
    record(
      {
        kind: fc.constantFrom('sequence' as const, 'optional' as const),
        element: tie('type'),
      },
      { denotation: text },
    ),
    record(
      { kind: fc.constant('map' as const), keyType: dataType, value: tie('type') },
      { denotation: text },
    ),
  ),
}))

const value: Arbitrary<Value> = record(
  { name: text, metadataProps: entries },
  { type, docString: text },
)

const nodeDevice: Arbitrary<NodeDeviceConfiguration> = record(
  {
    configurationId: text,
    shardingSpecs: list(
      fc.record({
        tensorName: text,
        devices: list(int64),
        deviceGroups: list(fc.record({ key: int64, values: list(int64) }), 1),
        shardedDims: list(
          fc.record({
            axis: int64,
            simpleShardings: list(record({ numShards: int64 }, { dim: fc.oneof(int64, text) }), 2),
          }),
          1,
        ),
      }),
      1,
    ),
  },
  { pipelineStage: fc.integer() },
)

const typeNames: readonly AttributeTypeName[] = [
  'float',
  'int',
  'string',
  'tensor',
  'sparse_tensor',
  'graph',
  'type',
  'floats',
  'ints',
  'strings',
  'tensors',
  'sparse_tensors',
  'graphs',
  'types',
]

const { attribute, node, graph } = fc.letrec<{ attribute: Attribute; node: Node; graph: Graph }>(
  (tie) => {
    const values: { readonly [Type in AttributeTypeName]: Arbitrary<unknown> } = {
      float,
      int: int64,
      string: bytes,
      tensor,
      sparse_tensor: sparseTensor,
      graph: tie('graph'),
      type,
      floats: list(float),
      ints: list(int64),
      strings: list(bytes),
      tensors: list(tensor, 2),
      sparse_tensors: list(sparseTensor, 1),
      graphs: list(tie('graph'), 2),
      types: list(type, 2),
    }
    const isNested = (name: AttributeTypeName) => name.startsWith('graph')
    const ofType = (name: AttributeTypeName) =>
      record(
        { type: fc.constant(name), value: values[name] },
        { docString: text },
      ) as Arbitrary<Attribute>
    const reference = record(
      {
        type: fc.constant('reference' as const),
        name: nonEmptyText,
        referencedType: fc.constantFrom<AttributeTypeName | 'undefined'>(...typeNames, 'undefined'),
      },
      { docString: text },
    )
    return {
      attribute: fc.oneof(
        { depthSize: 'small' },
        ...typeNames.filter((name) => !isNested(name)).map(ofType),
        reference,
        ...typeNames.filter(isNested).map(ofType),
      ),
      node: record(
        {
          name: text,
          opType: text,
          domain,
          inputs: list(text),
          outputs: list(text),
          attributes: fc
            .array(fc.tuple(text, tie('attribute')), { maxLength: 3 })
            .map((pairs) => new Map(pairs)),
          metadataProps: entries,
        },
        {
          overload: text,
          docString: text,
          deviceConfigurations: fc.array(nodeDevice, { minLength: 1, maxLength: 2 }),
        },
      ),
      graph: record(
        {
          name: text,
          nodes: fc.array(tie('node'), { maxLength: 3 }),
          inputs: list(value),
          outputs: list(value),
          valueInfo: list(value),
          initializers: list(fc.tuple(text, unnamedTensor)).map((pairs) => new Map(pairs)),
          sparseInitializers: list(sparseTensor, 2),
          metadataProps: entries,
        },
        {
          docString: text,
          quantizationAnnotations: fc.array(fc.record({ tensorName: text, parameters: entries }), {
            minLength: 1,
            maxLength: 2,
          }),
        },
      ),
    }
  },
)

const opsetImports = list(fc.record({ domain, version: size }))

const functionDefinition: Arbitrary<FunctionDefinition> = record(
  {
    name: text,
    domain,
    inputs: list(text),
    outputs: list(text),
    attributes: list(text),
    attributeDefaults: list(fc.tuple(text, attribute), 2).map((pairs) => new Map(pairs)),
    nodes: list(node, 2),
    opsetImports,
    valueInfo: list(value, 2),
    metadataProps: entries,
  },
  { overload: text, docString: text },
)

const trainingInfo: Arbitrary<TrainingInfo> = record(
  { initializationBinding: entries, updateBinding: entries },
  { initialization: graph, algorithm: graph },
)

const anyModel: Arbitrary<Model> = record(
  {
    irVersion: size,
    opsetImports,
    metadataProps: entries,
    graph,
    functions: list(functionDefinition, 2),
  },
  {
    producerName: text,
    producerVersion: text,
    domain: text,
    modelVersion: int64,
    docString: text,
    trainingInfo: fc.array(trainingInfo, { minLength: 1, maxLength: 1 }),
    deviceConfigurations: fc.array(
      fc.record({ name: text, numDevices: fc.integer(), devices: list(text) }),
      { minLength: 1, maxLength: 2 },
    ),
  },
)

describe('the codec', () => {
  it('gives back every model', () => {
    fc.assert(
      fc.property(anyModel, (m) => {
        expect(decodeModel(encodeModel(m))).toEqual(m)
      }),
      { numRuns: 300 },
    )
  })

  it('gives back every type of attribute', () => {
    for (const name of [...typeNames, 'reference']) {
      const some = attribute.filter((a) => a.type === name)
      fc.assert(
        fc.property(some, (a) => {
          const { graph: base, ...rest } = model().build()
          const [n] = model().node('Test', [], []).build().graph.nodes
          const nodes = [{ ...n!, attributes: new Map([['a', a]]) }]
          const m: Model = { ...rest, graph: { ...base, nodes } }
          expect(decodeModel(encodeModel(m))).toEqual(m)
        }),
        { numRuns: 20 },
      )
    }
  })

  it.each(DATA_TYPES)('gives back tensors of %s', (type) => {
    const some = dims.chain((d) => fc.tuple(fc.constant(d), data(type, d)))
    fc.assert(
      fc.property(some, ([d, content]) => {
        const m = model().initializer('w', { dataType: type, dims: d, data: content }).build()
        expect(decodeModel(encodeModel(m))).toEqual(m)
      }),
      { numRuns: 20 },
    )
  })

  it('hands out large weights as the views it was given', () => {
    const weight = new Float32Array(5000)
    const m = model().floats('w', [5000], weight).build()
    const given = m.graph.initializers.get('w')!.data
    const chunks = encodeModelChunks(m)
    expect(given.kind === 'bytes' && chunks.includes(given.bytes)).toBe(true)
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(encodeModel(m)))
  })

  it('reads weights as views of the file', () => {
    const file = encodeModel(model().floats('w', [3], [1, 2, 3]).build())
    const weight = decodeModel(file).graph.initializers.get('w')!.data
    expect(weight.kind === 'bytes' && weight.bytes.buffer).toBe(file.buffer)
  })
})
