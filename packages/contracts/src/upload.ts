// Models and datasets: immutable bytes that a worker inspects before anyone may use them.
import { type Static, Type } from 'typebox'

import { Problem } from './problem.js'
import { AnyObject, idOf, nullable, ref, Sha256, Timestamp, words } from './schema.js'

export const UPLOAD_STATES = ['validating', 'ready', 'rejected'] as const

const uploadFields = {
  name: Type.String(),
  state: words(UPLOAD_STATES, {
    description: 'validating until a worker has looked inside, then ready or rejected for good',
  }),
  sha256: Sha256,
  size_bytes: Type.Integer({ minimum: 0 }),
  media_type: Type.String(),
  created_at: Timestamp,
  settled_at: nullable(Timestamp),
  error: nullable(ref(Problem)),
}

export const ValueSummary = Type.Object({
  name: Type.String(),
  data_type: Type.String({ examples: ['float32'] }),
  shape: Type.Optional(
    Type.Unsafe<readonly (number | string | null)[]>({
      type: 'array',
      items: { type: ['integer', 'string', 'null'] },
      description: 'A number is fixed, a string a named size, null unknown; absent: unknown rank',
    }),
  ),
})

export const Model = Type.Object(
  {
    id: idOf('mdl'),
    ...uploadFields,
    inputs: nullable(Type.Array(ValueSummary)),
    outputs: nullable(Type.Array(ValueSummary)),
    op_types: nullable(
      Type.Unsafe<Readonly<Record<string, number>>>({
        type: 'object',
        additionalProperties: { type: 'integer' },
        description: 'ONNX operator type → number of nodes',
      }),
    ),
    parameters: nullable(Type.Integer({ description: 'Elements of all initializers' })),
    nodes: nullable(Type.Integer()),
    description: nullable(AnyObject),
  },
  { $id: 'Model', description: 'An uploaded ONNX model; all but its state is immutable' },
)
export type Model = Static<typeof Model>

export const Dataset = Type.Object(
  {
    id: idOf('dst'),
    ...uploadFields,
    labels: nullable(Type.String({ description: 'The array that holds the labels' })),
    samples: nullable(Type.Integer()),
    arrays: nullable(Type.Array(AnyObject)),
    description: nullable(AnyObject),
  },
  { $id: 'Dataset', description: 'Named arrays with one row per sample; immutable' },
)
export type Dataset = Static<typeof Dataset>
