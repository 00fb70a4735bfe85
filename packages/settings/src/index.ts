export { type Bounds, type Environment, EnvironmentReader } from './environment-reader.js'
