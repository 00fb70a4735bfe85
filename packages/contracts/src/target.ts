import { type Static, Type } from 'typebox'

import { AnyObject } from './schema.js'

export const Target = Type.Object(
  {
    device: Type.String(),
    isas: Type.Array(Type.String(), { description: 'Values of target.isa' }),
    default_isa: Type.String(),
    default_threads: Type.Integer(),
    runtime: Type.String({ description: 'What the result is measured with' }),
    steps: Type.Array(Type.String(), { description: 'Recipe steps for this target' }),
    description: Type.String(),
    details: Type.Optional(AnyObject),
  },
  { $id: 'Target', description: 'Where a result can be served' },
)
export type Target = Static<typeof Target>
