export { type CpuFeatures, cpuFeatures, type InstructionSet } from './cpu-features.js'
export { availableDevices, type Device } from './devices.js'
export {
  type InferenceRuntime,
  type InferenceSession,
  type SessionOptions,
  type ValueDescription,
  withSessionDefaults,
} from './runtime.js'
