import type { Model } from '@pare/graph'
import type { InferenceRuntime, InferenceSession, SessionOptions } from '@pare/inference'
import { encodeModel } from '@pare/onnx'

/** What models are run with while data is looked at. */
export interface Compute {
  readonly runtime: InferenceRuntime
  /** Inside one operator. Default 1. */
  readonly threads?: number
  /** Default the CPU. */
  readonly device?: 'cpu' | 'cuda'
}

export function openSession(
  { runtime, threads, device }: Compute,
  model: Model,
  options: SessionOptions = {},
): Promise<InferenceSession> {
  return runtime.createSession(encodeModel(model), {
    intraOpThreads: threads ?? 1,
    ...(device === undefined ? {} : { device }),
    ...options,
  })
}
