// docs/errors.md lists every code of every package. `npx vitest run services/api/test/error-docs -u`
// writes it anew.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
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

/** Every module that makes a table, wherever in its package it stands. */
function filesWithTables(): readonly string[] {
  return ['packages', 'services']
    .flatMap((dir) => readdirSync(join(ROOT, dir)).map((name) => join(dir, name, 'src')))
    .filter((dir) => existsSync(join(ROOT, dir)) && dir !== join('packages', 'errors', 'src'))
    .flatMap((dir) =>
      readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(dir, file),
      ),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('defineErrors('))
}

async function readTables(): Promise<readonly Table[]> {
  const tables = new Map<string, Record<string, ErrorRow>>()
  for (const file of filesWithTables()) {
    const module = (await import(pathToFileURL(join(ROOT, file)).href)) as Record<
      string,
      { rows?: Table['rows'] }
    >
    const rows = Object.values(module).flatMap((value) => Object.entries(value.rows ?? {}))
    if (rows.length === 0) throw new Error(`${file} does not export its table of errors`)
    const name = file.split(sep).slice(0, 2).join('/')
    tables.set(name, { ...tables.get(name), ...Object.fromEntries(rows) })
  }
  return [...tables].map(([name, rows]) => ({ package: name, rows }))
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
