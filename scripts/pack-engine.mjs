// Packs what an engine process runs into files that need no other module: the engine itself, and the
// threads and processes that it starts by their URL, which are to be found beside it. The sources
// are packed, not the compiler's output: it has checked them, and the maps lead straight to them.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = join(root, 'services/worker/dist/packed')

const ENTRIES = {
  engine: 'services/worker/src/engine/main.ts',
  stages: 'services/worker/src/engine/stages.ts',
  'parent-watch': 'services/worker/src/engine/parent-watch.ts',
  'counting-thread': 'packages/calibration/src/counting-thread.ts',
  'probe-entry': 'packages/evaluation/src/memory/probe-entry.ts',
}

/** Writes only files that changed, each at once: engines may be starting from them. */
export async function packEngine() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ENTRIES,
    outdir: FOLDER,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['source'],
    // It loads a library for this machine from its own folder.
    external: ['onnxruntime-node'],
    plugins: [{ name: 'stages-at-once', setup: loadStagesAtOnce }],
    minifyWhitespace: true,
    minifySyntax: true,
    // Read only when a stack is shown (`engine/source-stack.ts`).
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  })
  outputFiles.forEach(checkNeighbours)
  mkdirSync(FOLDER, { recursive: true })
  for (const { path, contents } of outputFiles) writeIfChanged(path, contents)
}

/**
 * An engine has every stage loaded before it takes an order. Left as they are, the `import()` of the
 * stage catalogue would have every module wrapped in a function, which V8 reads twice.
 */
function loadStagesAtOnce({ onLoad }) {
  onLoad({ filter: /\/stages\/stage-table\.ts$/ }, async ({ path }) => {
    const specifiers = []
    const text = await readFile(path, 'utf8')
    const body = text.replace(/\bimport\(('[^']+')\)/g, (_, specifier) => {
      specifiers.push(specifier)
      return `Promise.resolve(loaded${specifiers.length - 1})`
    })
    // On the first line, so that all lines keep their numbers.
    const imports = specifiers.map((name, i) => `import * as loaded${i} from ${name};`).join('')
    return { contents: imports + body, loader: 'ts' }
  })
}

/** A module that starts a file beside itself starts it beside the packed engine. */
function checkNeighbours({ path, text }) {
  if (!path.endsWith('.js')) return
  for (const [, name] of text.matchAll(/["'`]\.\/([\w-]+)\.js["'`]/g)) {
    if (name in ENTRIES) continue
    throw new Error(
      `${basename(path)} starts ${name}.js, which scripts/pack-engine.mjs does not pack`,
    )
  }
}

function writeIfChanged(path, contents) {
  if (isSame(path, contents)) return
  const scratch = `${path}.${process.pid}`
  writeFileSync(scratch, contents)
  renameSync(scratch, path)
}

function isSame(path, contents) {
  try {
    return readFileSync(path).equals(contents)
  } catch {
    return false
  }
}
