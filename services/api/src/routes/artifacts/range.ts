import { errors } from '../../errors.js'

export interface Range {
  readonly start: number
  /** Inclusive. */
  readonly end: number
}

/**
 * The one range of bytes that is asked for; undefined for the whole. What is not a single range of
 * bytes is ignored, as RFC 9110 allows.
 * @throws range_not_satisfiable
 */
export function parseRange(header: string | undefined, sizeBytes: number): Range | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first)
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (start <= end && start < sizeBytes) return { start, end }
  throw errors.range_not_satisfiable(`the artifact has ${sizeBytes} bytes`, {
    details: { size_bytes: sizeBytes },
  })
}
