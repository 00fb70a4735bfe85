export {
  type CpuFeatures,
  cpuFeatures,
  INSTRUCTION_SETS,
  type InstructionSet,
} from './cpu-features.js'
export { availableDevices, type Device } from './devices.js'
export { errors as inferenceErrors } from './errors.js'
export {
  type InferenceRuntime,
  type InferenceSession,
  type SessionOptions,
  type ValueDescription,
  withSessionDefaults,
} from './runtime.js'
