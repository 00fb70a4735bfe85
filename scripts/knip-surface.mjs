// What a package's README names is its public surface: it is exported though nobody here uses it yet. A preprocessor of knip (`npm run unused`).
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export default function withoutSurface(results) {
  for (const type of ['exports', 'types']) {
    for (const [file, symbols] of Object.entries(results.issues[type])) {
      const words = wordsOf(file.split('/src/')[0])
      for (const [key, { symbol }] of Object.entries(symbols)) {
        if (!words.has(symbol)) continue
        delete symbols[key]
        results.counters[type]--
      }
    }
  }
  return results
}

function wordsOf(folder) {
  const path = join(dirname(import.meta.dirname), folder, 'README.md')
  return new Set(existsSync(path) ? readFileSync(path, 'utf8').match(/\w+/g) : [])
}
