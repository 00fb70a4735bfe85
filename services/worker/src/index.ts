export { ENGINE_PATH } from './engine-path.js'
export { workerErrors } from './errors.js'
export { type RunningWorker, startWorker } from './start-worker.js'
export type { WorkerDeps, WorkerSettings } from './worker-deps.js'
