// What an engine may say to its worker. It handled somebody else's model: anything else ends it.
import { ERROR_KINDS, FAULTS } from '@pare/errors'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

import type { FromEngine } from './engine/protocol.js'

const Text = (maxLength: number) => Type.String({ maxLength })
const Role = Type.String({ pattern: '^[a-z][a-z0-9_]{0,63}$' })
const Json = Type.Record(Type.String(), Type.Unknown())
const closed = { additionalProperties: false } as const

const Failure = Type.Object(
  {
    code: Type.String({ pattern: '^[a-z][a-z0-9_]{0,63}$' }),
    kind: Type.Enum([...ERROR_KINDS]),
    fault: Type.Enum([...FAULTS]),
    title: Text(500),
    message: Text(20_000),
    details: Json,
  },
  closed,
)

const ReadyMessage = Type.Object({ type: Type.Literal('ready') }, closed)

const ProbedMessage = Type.Object(
  { type: Type.Literal('probed'), devices: Type.Array(Type.Enum(['cpu', 'cuda'])) },
  closed,
)

const ProgressMessage = Type.Object(
  {
    type: Type.Literal('progress'),
    done: Type.Number({ minimum: 0 }),
    total: Type.Number({ minimum: 0 }),
    unit: Text(64),
    message: Type.Optional(Text(500)),
  },
  closed,
)

const ResultMessage = Type.Object(
  {
    type: Type.Literal('result'),
    outputs: Type.Array(
      Type.Object({ role: Role, path: Text(4096), mediaType: Text(200) }, closed),
      { maxItems: 64 },
    ),
    metrics: Json,
    failure: Type.Optional(Failure),
  },
  closed,
)

const FailedMessage = Type.Object({ type: Type.Literal('failed'), error: Failure }, closed)

const Message = Compile(
  Type.Union([ReadyMessage, ProbedMessage, ProgressMessage, ResultMessage, FailedMessage]),
)

export function isFromEngine(message: unknown): message is FromEngine {
  return Message.Check(message)
}
