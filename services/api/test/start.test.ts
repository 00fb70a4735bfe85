// The process as it is deployed: configured by the environment, started, stopped by a signal.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { createTestDatabase, type TestDatabase } from '@pare/database/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { newApiKey, readConfig } from '../src/index.js'

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))

let database: TestDatabase
let dir: string

beforeAll(async () => {
  database = await createTestDatabase()
  dir = await mkdtemp(join(tmpdir(), 'pare-api-main-'))
})
afterAll(async () => {
  await database.close()
  await rm(dir, { recursive: true, force: true })
})

describe('the configuration', () => {
  it('names every fault at once and repeats no secret', () => {
    const read = () =>
      readConfig({
        DATABASE_URL: 'mysql://user:hunter2@host/db',
        PARE_PORT: 'eighty',
        PARE_LOG_LEVEL: 'loud',
        PARE_API_KEY: 'short',
        WEBHOOK_ALLOW_CIDRS: '10.0.0.0/99',
      })
    expect(read).toThrow(
      /DATABASE_URL[^]*STORAGE_URL[^]*PARE_PORT[^]*PARE_LOG_LEVEL[^]*PARE_API_KEY/,
    )
    expect(read).not.toThrow(/hunter2/)
  })

  it('uses the database as queue, and is frozen', () => {
    const config = readConfig({ DATABASE_URL: 'postgres://h/d', STORAGE_URL: 'file:///tmp/x' })
    expect(config.queueUrl).toBe('postgres://h/d')
    expect(config).toMatchObject({ host: '127.0.0.1', port: 8080, apiKey: undefined })
    expect(Object.isFrozen(config)).toBe(true)
  })
})

describe('the process', () => {
  it('starts, serves the key of its environment, and ends on SIGTERM with its streams', async () => {
    const key = newApiKey()
    const child = spawn(process.execPath, [MAIN], {
      env: {
        DATABASE_URL: database.url,
        STORAGE_URL: pathToFileURL(dir).href,
        PARE_PORT: '0',
        PARE_API_KEY: key,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    const url = await urlIn(child.stdout)
    const response = await fetch(`${url}/v1/models`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: 'a model',
    })
    expect(response.status).toBe(201)
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })

  it('ends at once, and says why, when its environment has faults', async () => {
    const child = spawn(process.execPath, [MAIN], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    expect(await exited).toEqual([1, null])
    expect(output).toContain('configuration_invalid')
    expect(output).toContain('DATABASE_URL')
  })
})

async function urlIn(stdout: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stdout) {
    text += String(chunk)
    const url = /"url":"(http[^"]+)"/.exec(text)?.[1]
    if (url !== undefined) {
      stdout.resume()
      return url
    }
  }
  throw new Error(`the process ended: ${text}`)
}
