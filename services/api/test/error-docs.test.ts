// docs/errors.md lists every code of every package. `npx vitest run services/api/test/error-docs -u`
// writes it anew.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { defineErrors, type ErrorRow, type SerializedError } from '@pare/errors'
import * as prettier from 'prettier'
import { describe, expect, it } from 'vitest'

import { isRetryable, statusOf } from '../src/problem.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

interface Table {
  readonly package: string
  readonly rows: Readonly<Record<string, ErrorRow>>
}

async function readTables(): Promise<readonly Table[]> {
  const files = ['packages', 'services']
    .flatMap((dir) => readdirSync(join(ROOT, dir)).map((name) => join(dir, name)))
    .map((dir) => ({ name: dir, file: join(ROOT, dir, 'src', 'errors.ts') }))
    .filter(({ file }) => existsSync(file))
  const tables = files.map(async ({ name, file }) => {
    const module = (await import(pathToFileURL(file).href)) as Record<
      string,
      { rows?: Table['rows'] }
    >
    const rows = Object.values(module).flatMap((value) => Object.entries(value.rows ?? {}))
    return { package: name, rows: Object.fromEntries(rows) }
  })
  return (await Promise.all(tables)).filter(({ rows }) => Object.keys(rows).length > 0)
}

/** The table's own raiser decides the fault. */
function errorOf(code: string, row: ErrorRow): SerializedError {
  const raise = defineErrors({ [code]: row })[code]
  if (raise === undefined || typeof raise !== 'function') throw new Error(code)
  return raise('').toJSON()
}

async function render(tables: readonly Table[]): Promise<string> {
  const lines = [
    '# Errors',
    '',
    'Every failure has a stable `code`: in the problem document that answers a request, in the `error` of',
    'a job, a stage or an upload, and at `/errors/{code}`. Decide on the code; sentences may change.',
    '',
    'Kind decides the HTTP status and whether a worker tries again; fault says who has to act. Retryable',
    'means that the same request may succeed later without a change.',
    '',
    'A test keeps this page equal to the tables in the code.',
  ]
  for (const table of tables) {
    lines.push('', `## ${table.package}`, '')
    lines.push('| code | kind | status | fault | retryable | title |', '|---|---|---|---|---|---|')
    for (const [code, row] of Object.entries(table.rows).sort(([a], [b]) => (a < b ? -1 : 1))) {
      const error = errorOf(code, row)
      const retryable = isRetryable(error) ? 'yes' : 'no'
      lines.push(
        `| \`${code}\` | ${row.kind} | ${statusOf(error)} | ${error.fault} | ${retryable} | ${row.title} |`,
      )
    }
  }
  const options = await prettier.resolveConfig(join(ROOT, 'docs', 'errors.md'))
  return prettier.format(lines.join('\n'), { ...options, parser: 'markdown' })
}

describe('the page of errors', () => {
  it('lists every code of every table', async () => {
    const page = await render(await readTables())
    await expect(page).toMatchFileSnapshot(join(ROOT, 'docs', 'errors.md'))
  })

  it('has each code once: codes are unique in the whole product', async () => {
    const codes = (await readTables()).flatMap(({ rows }) => Object.keys(rows))
    const repeated = codes.filter((code, i) => codes.indexOf(code) !== i)
    expect(repeated).toEqual([])
    expect(codes.length).toBeGreaterThan(50)
  })
})
