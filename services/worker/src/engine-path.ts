import { fileURLToPath } from 'node:url'

/** Engine processes always run from the build, also when the worker itself runs from source. */
export const ENGINE_PATH = fileURLToPath(new URL('../dist/engine/main.js', import.meta.url))

/** The worker as a process, for whoever starts one beside itself. */
export const WORKER_PATH = fileURLToPath(new URL('../dist/main.js', import.meta.url))
