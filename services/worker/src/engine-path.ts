import { fileURLToPath } from 'node:url'

/**
 * Engine processes always run from the build, also when the worker itself runs from source. They run
 * its packed form: one starts for every stage, and Node takes longer to find and read 400 modules
 * than to do all the rest.
 */
export const ENGINE_PATH = fileURLToPath(new URL('../dist/packed/engine.js', import.meta.url))

/** The worker as a process, for whoever starts one beside itself. */
export const WORKER_PATH = fileURLToPath(new URL('../dist/main.js', import.meta.url))
