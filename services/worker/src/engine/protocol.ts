// What a worker and its engine process say to each other. Both sides check what arrives: the engine
// handled somebody else's model and may say anything.
import type { StageContext } from '@pare/compression'
import type { CodedError } from '@pare/errors'
import { ERROR_KINDS, FAULTS, type SerializedError } from '@pare/errors'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

const Text = (maxLength: number) => Type.String({ maxLength })
const Role = Type.String({ pattern: '^[a-z][a-z0-9_]{0,63}$' })
const Json = Type.Record(Type.String(), Type.Unknown())
const closed = { additionalProperties: false } as const

const StartMessage = Type.Object(
  {
    type: Type.Literal('start'),
    kind: Text(64),
    inputs: Type.Array(Type.Object({ role: Role, path: Text(4096), sha256: Text(64) }, closed)),
    params: Json,
    seed: Type.Number(),
    workDir: Text(4096),
    threads: Type.Integer({ minimum: 1 }),
    device: Type.Union([Type.Literal('cpu'), Type.Literal('cuda')]),
    maxOnnxBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  closed,
)

/** Asks which devices onnxruntime can really use; nothing else runs in that engine. */
const ProbeMessage = Type.Object({ type: Type.Literal('probe') }, closed)

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

const ToEngine = Compile(Type.Union([StartMessage, ProbeMessage]))
const FromEngine = Compile(
  Type.Union([ReadyMessage, ProbedMessage, ProgressMessage, ResultMessage, FailedMessage]),
)

export type StartMessage = Omit<StageContext, 'runtime' | 'onProgress'> & {
  readonly type: 'start'
  readonly kind: string
}
export type ToEngine = StartMessage | Static<typeof ProbeMessage>
export type EngineProgress = Static<typeof ProgressMessage>
export type EngineResult = Static<typeof ResultMessage>
export type FromEngine =
  | Static<typeof ReadyMessage>
  | Static<typeof ProbedMessage>
  | EngineProgress
  | EngineResult
  | { readonly type: 'failed'; readonly error: SerializedError }

export function isToEngine(message: unknown): message is ToEngine {
  return ToEngine.Check(message)
}

export function isFromEngine(message: unknown): message is FromEngine {
  return FromEngine.Check(message)
}

/** The form in which an error passes the check of the other side, whatever its length. */
export function toFailure(error: CodedError): SerializedError {
  const { code, kind, fault, title, message, details } = error.toJSON()
  return {
    ...{ code, kind, fault, title: title.slice(0, 500), message: message.slice(0, 20_000) },
    // Through JSON once, as the channel does it: what cannot be said is left out.
    details: JSON.parse(JSON.stringify(details)) as Record<string, unknown>,
  }
}
