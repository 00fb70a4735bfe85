import { Writable } from 'node:stream'

import { defineErrors } from '@pare/errors'
import { describe, expect, it } from 'vitest'

import { createLogger, type Logger } from './logger.js'

function capture(): { logger: Logger; lines: () => Record<string, unknown>[] } {
  let text = ''
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  const logger = createLogger({ service: 'test', level: 'info', destination })
  const lines = (): Record<string, unknown>[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { logger, lines }
}

describe('a log line', () => {
  it('is JSON with the service, the level by name, and the fields of its child', () => {
    const { logger, lines } = capture()
    logger.child({ jobId: 'job_1' }).info({ durationMs: 5 }, 'stage ended')
    logger.debug('too detailed')
    expect(lines()).toHaveLength(1)
    expect(lines()[0]).toMatchObject({
      service: 'test',
      level: 'info',
      jobId: 'job_1',
      durationMs: 5,
      msg: 'stage ended',
    })
  })

  it('shows no secret, at the top or inside a request', () => {
    const { logger, lines } = capture()
    logger.info({ apiKey: 'k1', request: { headers: { authorization: 'Bearer k2' } } }, 'seen')
    expect(JSON.stringify(lines())).not.toMatch(/k1|k2/)
  })

  it('keeps the code, details and causes of an error', () => {
    const { logger, lines } = capture()
    const errors = defineErrors({ disk_full: { kind: 'unavailable', title: 'Full.' } })
    const error = errors.disk_full('no space', { details: { left: 0 }, cause: new Error('ENOSPC') })
    logger.error({ error }, 'put failed')
    expect(lines()[0]?.['error']).toMatchObject({
      code: 'disk_full',
      details: { left: 0 },
      cause: { message: 'ENOSPC' },
    })
  })
})
