// The onnxruntime adapter of the InferenceRuntime port. `create` and `run` of onnxruntime-node hold
// the event loop until they are done, so only an engine process or a test calls them.
import { type CodedError, coerceError } from '@pare/errors'
import type { RuntimeTensor } from '@pare/tensor'
import type { InferenceSession as OrtSession } from 'onnxruntime-node'
import ort from 'onnxruntime-node'

import { cleanMessage } from './clean-message.js'
import { errors } from './errors.js'
import type {
  InferenceRuntime,
  InferenceSession,
  SessionOptions,
  ValueDescription,
} from './runtime.js'
import { fromOrtTensor, toDataType, toOrtTensor } from './runtime-tensors.js'

type OrtValueMetadata = OrtSession['inputMetadata'][number]

/** Failures are thrown, so nothing needs to be printed: only fatal messages reach stderr. */
const FATAL_ONLY = 4

export function onnxRuntime(): InferenceRuntime {
  // Read once by the binding when the first session is made.
  ort.env.logLevel = 'fatal'
  return { name: 'onnxruntime', version: ort.env.versions.node ?? 'unknown', createSession }
}

async function createSession(
  model: Uint8Array | { readonly path: string },
  options: SessionOptions = {},
): Promise<InferenceSession> {
  const hostPaths = [
    ...('path' in model ? [model.path] : []),
    ...(options.optimizedModelPath === undefined ? [] : [options.optimizedModelPath]),
    ...(options.externalDataFolder === undefined ? [] : [options.externalDataFolder]),
  ]
  try {
    const session = await ('path' in model
      ? ort.InferenceSession.create(model.path, toOrtOptions(options))
      : ort.InferenceSession.create(model, toOrtOptions(options)))
    return wrapSession(session, hostPaths)
  } catch (thrown) {
    throw rejection(coerceError(thrown), options, hostPaths)
  }
}

function rejection(
  cause: Error,
  options: SessionOptions,
  hostPaths: readonly string[],
): CodedError {
  const message = cleanMessage(cause.message, hostPaths)
  const provider = /ExecutionProvider_(\w+): |backend not found/.test(cause.message)
  if (options.device === 'cuda' && provider) {
    return errors.device_unavailable(
      `CUDA is not usable here: ${message}. Install onnxruntime's CUDA libraries, or use the CPU.`,
      { details: { device: 'cuda' }, cause },
    )
  }
  return errors.runtime_rejected_model(`onnxruntime could not load the model: ${message}`, {
    cause,
  })
}

function toOrtOptions(options: SessionOptions): OrtSession.SessionOptions {
  return {
    executionProviders: options.device === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
    ...(options.intraOpThreads === undefined ? {} : { intraOpNumThreads: options.intraOpThreads }),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: LEVELS[options.optimization ?? 'all'],
    enableCpuMemArena: options.memoryArena ?? true,
    enableMemPattern: options.memoryArena ?? true,
    logSeverityLevel: FATAL_ONLY,
    ...(options.optimizedModelPath === undefined
      ? {}
      : { optimizedModelFilePath: options.optimizedModelPath }),
    ...(options.profileFilePrefix === undefined
      ? {}
      : { enableProfiling: true, profileFilePrefix: options.profileFilePrefix }),
    extra: nested({
      ...(options.externalDataFolder === undefined
        ? {}
        : { [EXTERNAL_DATA_FOLDER]: options.externalDataFolder }),
      ...options.config,
    }),
  }
}

const EXTERNAL_DATA_FOLDER = 'session.model_external_initializers_file_folder_path'

const LEVELS = { none: 'disabled', basic: 'basic', extended: 'extended', all: 'all' } as const

/** onnxruntime-node takes the entry `session.x` as `{ session: { x } }`. */
function nested(config: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(config)) {
    const parts = key.split('.')
    const last = parts.pop() ?? key
    let level = root
    for (const part of parts) {
      const next = level[part]
      const child = typeof next === 'object' ? (next as Record<string, unknown>) : {}
      level[part] = child
      level = child
    }
    level[last] = value
  }
  return root
}

function wrapSession(session: OrtSession, hostPaths: readonly string[]): InferenceSession {
  return {
    inputs: session.inputMetadata.map(describe),
    outputs: session.outputMetadata.map(describe),
    run: async (feeds, outputs) => {
      const ortFeeds = toOrtFeeds(session, feeds)
      try {
        const results = await (outputs === undefined
          ? session.run(ortFeeds)
          : session.run(ortFeeds, outputs))
        return Object.fromEntries(
          Object.entries(results).map(([name, tensor]) => [name, fromOrtTensor(tensor)]),
        )
      } catch (thrown) {
        const cause = coerceError(thrown)
        const message = cleanMessage(cause.message, hostPaths)
        const raise = isFeedFault(message) ? errors.runtime_invalid_feeds : errors.runtime_failed
        throw raise(`onnxruntime could not run the model: ${message}`, { cause })
      }
    },
    endProfiling: () => session.endProfiling(),
    release: () => session.release(),
  }
}

function toOrtFeeds(
  session: OrtSession,
  feeds: Readonly<Record<string, RuntimeTensor>>,
): OrtSession.FeedsType {
  // onnxruntime ignores a feed it does not know, which would hide a misspelt name.
  const unknown = Object.keys(feeds).find((name) => !session.inputNames.includes(name))
  if (unknown !== undefined) {
    throw errors.runtime_invalid_feeds(
      `the model has no input ${unknown}; its inputs are ${session.inputNames.join(', ')}`,
      { details: { input: unknown, inputs: session.inputNames } },
    )
  }
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [name, toOrtTensor(name, tensor)]),
  )
}

function isFeedFault(message: string): boolean {
  return /Invalid rank for input|Got invalid dimensions for input|missing in 'feeds'|Unexpected input data type/.test(
    message,
  )
}

function describe(metadata: OrtValueMetadata): ValueDescription {
  if (!metadata.isTensor) {
    throw errors.runtime_rejected_model(`input or output ${metadata.name} is not a tensor`)
  }
  return {
    name: metadata.name,
    dataType: toDataType(metadata.type),
    shape: metadata.shape.map((size) => (size === '' ? null : size)),
  }
}
