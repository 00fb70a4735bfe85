// Keyset pagination, newest first. The API signs the position into an opaque cursor.

/** Where the page before ended: the sort key of its last row. */
export interface PagePosition {
  readonly createdAt: Date
  readonly id: string
}

export interface PageRequest {
  readonly limit: number
  readonly after?: PagePosition | undefined
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** True when there was at least one more row at the time of the query. */
  readonly hasMore: boolean
}

/** A WHERE clause that grows with the filters given. */
export interface Conditions {
  readonly values: readonly unknown[]
  /** Adds a condition; each `?` in its text stands for the next of the values. */
  readonly add: (text: string, ...values: readonly unknown[]) => void
  readonly text: () => string
}

export function conditions(): Conditions {
  const parts: string[] = []
  const values: unknown[] = []
  return {
    values,
    add: (text, ...added) => {
      let next = 0
      parts.push(text.replaceAll('?', () => `$${values.push(added[next++])}`))
    },
    text: () => parts.join(' AND '),
  }
}

/**
 * Adds the keyset condition; the caller's statement ends in `pageTail(request)`. A statement with
 * joins names the table whose rows are listed.
 */
export function addPosition(where: Conditions, { after }: PageRequest, table?: string): void {
  if (after === undefined) return
  const key = `(${sortKey(table).join(', ')})`
  where.add(`${key} < (?::timestamptz, ?::text)`, after.createdAt, after.id)
}

export function pageTail({ limit }: PageRequest, table?: string): string {
  const [createdAt, id] = sortKey(table)
  return `ORDER BY ${createdAt} DESC, ${id} DESC LIMIT ${Math.trunc(limit) + 1}`
}

function sortKey(table?: string): readonly [string, string] {
  const prefix = table === undefined ? '' : `${table}.`
  return [`${prefix}created_at`, `${prefix}id`]
}

export function toPage<Row>(rows: readonly Row[], { limit }: PageRequest): Page<Row> {
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit }
}
