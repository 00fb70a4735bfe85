// Where in the sources the places of a stack are, of which the packed engine has but one file. Maps are
// read when a stack is shown: reading them at the start would take as long as the start itself.
import { readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { fileURLToPath } from 'node:url'

/** As V8 writes them: file, line, column. A name may not hold what would end it. */
const PLACE = /(file:\/\/[^\s():]+\.js):(\d+):(\d+)/g

/** The stack with its places below `folder` in the sources; one without a map stays as it is. */
export function sourceStack(stack: string, folder = new URL('.', import.meta.url).href): string {
  const maps = new Map<string, SourceMap | undefined>()
  return stack.replace(PLACE, (place, file: string, line: string, column: string) => {
    if (!file.startsWith(folder)) return place
    if (!maps.has(file)) maps.set(file, readMap(file))
    const origin = maps.get(file)?.findOrigin(Number(line), Number(column))
    if (origin === undefined || !('fileName' in origin)) return place
    const source = fileURLToPath(new URL(origin.fileName, file))
    return `${source}:${origin.lineNumber}:${origin.columnNumber}`
  })
}

function readMap(file: string): SourceMap | undefined {
  try {
    const text = readFileSync(fileURLToPath(`${file}.map`), 'utf8')
    return new SourceMap(JSON.parse(text) as SourceMapPayload)
  } catch {
    return undefined
  }
}
