// The page behind a problem's `type`: docs/errors.md, read once, one entry per code.
import { readFileSync } from 'node:fs'

import { Type } from 'typebox'

import { errors } from '../../errors.js'
import { problems } from '../responses.js'
import type { RoutePlugin } from '../route-plugin.js'

/** docs/ at the repository's root, seen from src/ and from dist/ alike. */
const ERRORS_DOC = new URL('../../../../../docs/errors.md', import.meta.url)

const ErrorPage = Type.Object({
  code: Type.String(),
  kind: Type.String(),
  status: Type.Integer(),
  fault: Type.String(),
  retryable: Type.Boolean(),
  title: Type.String(),
})

const schema = {
  tags: ['docs'],
  summary: 'What an error code means',
  security: [],
  params: Type.Object({ code: Type.String() }),
  response: { 200: ErrorPage, ...problems(404) },
}

interface Entry {
  readonly code: string
  readonly kind: string
  readonly status: number
  readonly fault: string
  readonly retryable: boolean
  readonly title: string
}

export const errorPages: RoutePlugin = (app, _options, done) => {
  const entries = readEntries()
  app.get('/errors/:code', { schema }, (request) => {
    const { code } = request.params
    const entry = entries.get(code)
    if (entry === undefined)
      throw errors.route_not_found(`no error has the code ${code.slice(0, 64)}`)
    return entry
  })
  done()
}

/** Rows: | `code` | kind | status | fault | retryable | title | */
function readEntries(): ReadonlyMap<string, Entry> {
  const lines = readFileSync(ERRORS_DOC, 'utf8').split('\n')
  const rows = lines
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  return new Map(
    rows.map(([, quoted = '', kind = '', status, fault = '', retryable, title = '']) => {
      const code = quoted.replaceAll('`', '')
      return [
        code,
        { code, kind, status: Number(status), fault, retryable: retryable === 'yes', title },
      ]
    }),
  )
}
