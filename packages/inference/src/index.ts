export type {
  InferenceRuntime,
  InferenceSession,
  SessionOptions,
  ValueDescription,
} from './runtime.js'
