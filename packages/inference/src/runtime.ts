import type { DataType, RuntimeTensor } from '@pare/tensor'

/**
 * Runs ONNX models. The port takes model bytes (or the path of a file this process wrote itself),
 * never a Model, so it needs nothing of the graph packages. `create` and `run` of the onnxruntime
 * adapter block the event loop: only an engine process calls them.
 */
export interface InferenceRuntime {
  readonly name: string
  readonly version: string
  /** Loads a model. Throws `runtime_rejected_model` with the runtime's reason when it cannot. */
  readonly createSession: (
    model: Uint8Array | { readonly path: string },
    options?: SessionOptions,
  ) => Promise<InferenceSession>
}

export interface SessionOptions {
  /** Threads inside one operator; 0 or absent lets the runtime choose. */
  readonly intraOpThreads?: number
  /** Default `all`. `none` is the reference: each operator as the specification defines it. */
  readonly optimization?: 'none' | 'basic' | 'extended' | 'all'
  /** Writes the optimized graph to this path, so that it can be read back. */
  readonly optimizedModelPath?: string
  readonly profileFilePrefix?: string
  /** Session configuration entries, e.g. `session.x64quantprecision`. */
  readonly config?: Readonly<Record<string, string>>
  /** Keep freed activations for the next run (faster); off for memory-bounded work. Default true. */
  readonly memoryArena?: boolean
  readonly device?: 'cpu' | 'cuda'
  /** Absolute path of the folder that external data of a model given as bytes lies in. */
  readonly externalDataFolder?: string
}

/** The same runtime with these options where a caller says nothing else. */
export function withSessionDefaults(
  runtime: InferenceRuntime,
  defaults: SessionOptions,
): InferenceRuntime {
  return {
    ...runtime,
    createSession: (model, options) => runtime.createSession(model, { ...defaults, ...options }),
  }
}

export interface ValueDescription {
  readonly name: string
  readonly dataType: DataType
  /** A number is a fixed size, a string a named size, null unknown. Absent: unknown rank. */
  readonly shape?: readonly (number | string | null)[]
}

export interface InferenceSession {
  readonly inputs: readonly ValueDescription[]
  readonly outputs: readonly ValueDescription[]
  /** Runs once; `outputs` chooses which outputs to return (default all). */
  readonly run: (
    feeds: Readonly<Record<string, RuntimeTensor>>,
    outputs?: readonly string[],
  ) => Promise<Readonly<Record<string, RuntimeTensor>>>
  /** Ends profiling, when it was on. */
  readonly endProfiling: () => void
  readonly release: () => Promise<void>
}
