export { type Bounds, type Environment, EnvironmentReader } from './environment-reader.js'
export { errors as settingsErrors } from './errors.js'
