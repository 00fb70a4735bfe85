import { describe, expect, it } from 'vitest'

import { readConfig } from './config.js'

const needed = { DATABASE_URL: 'postgres://db/pare', STORAGE_URL: 'file:///blobs' }

describe('the configuration of a worker', () => {
  it('needs only a database and a store; the queue is the database', () => {
    const config = readConfig(needed)
    expect(config.queueUrl).toBe(needed.DATABASE_URL)
    expect(config.settings).toMatchObject({ devices: ['cpu'], leaseMs: 10_000 })
    expect(config.settings.concurrency).toBeGreaterThanOrEqual(1)
  })

  it('takes what is set', () => {
    const { settings, queueUrl } = readConfig({
      ...needed,
      QUEUE_URL: 'redis://queue',
      PARE_WORKER_CONCURRENCY: '3',
      PARE_WORKER_DEVICES: 'cuda, cpu',
      PARE_ENGINE_MEMORY_MIB: '512',
      PARE_MAX_ONNX_BYTES: '1000000',
      WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8, 10.0.0.0/8',
    })
    expect(queueUrl).toBe('redis://queue')
    expect(settings).toMatchObject({
      concurrency: 3,
      devices: ['cpu', 'cuda'],
      memoryLimitBytes: 512 * 2 ** 20,
      maxOnnxBytes: 1_000_000,
      webhookAllowCidrs: ['127.0.0.0/8', '10.0.0.0/8'],
    })
  })

  it('beats several times within a lease, however short it is', () => {
    const { settings } = readConfig({ ...needed, PARE_LEASE_SECONDS: '2' })
    expect(settings).toMatchObject({ leaseMs: 2000, heartbeatMs: 400 })
    const long = readConfig({ ...needed, PARE_LEASE_SECONDS: '60' }).settings
    expect(long).toMatchObject({ leaseMs: 60_000, heartbeatMs: 1500 })
  })

  it('names every fault at once, without repeating a password', () => {
    const read = (): unknown =>
      readConfig({
        DATABASE_URL: 'mysql://u:secret@db',
        PARE_WORKER_DEVICES: 'cpu,tpu',
        PARE_WORKER_CONCURRENCY: '0',
      })
    expect(read).toThrow(/DATABASE_URL[^]*STORAGE_URL[^]*/)
    try {
      read()
    } catch (error) {
      expect(error).toMatchObject({ code: 'configuration_invalid' })
      expect((error as Error).message).toMatch(/PARE_WORKER_DEVICES/)
      expect((error as Error).message).toMatch(/PARE_WORKER_CONCURRENCY/)
      expect((error as Error).message).not.toContain('secret')
    }
  })
})
