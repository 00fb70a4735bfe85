// What a package's README names is its public surface: an index may export it though nobody here
// uses it yet. A preprocessor of knip (`npm run unused`).
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export default function withoutSurface(results) {
  for (const type of ['exports', 'types']) {
    for (const [file, symbols] of Object.entries(results.issues[type])) {
      if (!/\/src\/(.*\/)?index\.ts$/.test(file)) continue
      const words = wordsOf(file.slice(0, file.indexOf('/src/')))
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
