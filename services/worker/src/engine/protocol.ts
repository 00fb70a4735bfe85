// What a worker and its engine process say to each other, and what the engine checks of it. The
// worker's check of its engine, which handled somebody else's model and may say anything, is in
// check-engine-message.ts: it needs a library that would take as long to load here as all the rest.
import type { StageOrder } from '@pare/compression/stages'
import type { CodedError, SerializedError } from '@pare/errors'

export type StartMessage = Omit<StageOrder, 'runtime' | 'onProgress' | 'takes'> & {
  readonly type: 'start'
  readonly kind: string
}

/** Asks which devices onnxruntime can really use; nothing else runs in that engine. */
export interface ProbeMessage {
  readonly type: 'probe'
}

export type ToEngine = StartMessage | ProbeMessage

export interface EngineProgress {
  readonly type: 'progress'
  readonly done: number
  readonly total: number
  readonly unit: string
  readonly message?: string
}

export interface EngineResult {
  readonly type: 'result'
  readonly outputs: readonly {
    readonly role: string
    readonly path: string
    readonly mediaType: string
  }[]
  readonly metrics: Readonly<Record<string, unknown>>
  readonly failure?: SerializedError
}

export type FromEngine =
  | { readonly type: 'ready' }
  | { readonly type: 'probed'; readonly devices: readonly ('cpu' | 'cuda')[] }
  | { readonly type: 'failed'; readonly error: SerializedError }
  | EngineProgress
  | EngineResult

/** The worker is of the same build and means well: its form is all there is to check. */
export function isToEngine(message: unknown): message is ToEngine {
  if (typeof message !== 'object' || message === null) return false
  const { type, kind, inputs, params, workDir } = message as Partial<StartMessage>
  if ((message as ToEngine).type === 'probe') return true
  return (
    type === 'start' &&
    typeof kind === 'string' &&
    typeof workDir === 'string' &&
    Array.isArray(inputs) &&
    typeof params === 'object'
  )
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
