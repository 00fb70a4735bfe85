// `npm start` as a person or a supervisor runs it: what reaches npm must reach the stack.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { descendantsOf, untilGone } from './harness/process-tree.js'
import { ServiceProcess } from './harness/service-process.js'
import { until } from './harness/until.js'

let dataDir: string
const runs: ServiceProcess[] = []

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pare-npm-start-'))
})
afterAll(async () => {
  for (const run of runs) if (run.isRunning) await run.stop()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
})

async function start(): Promise<ServiceProcess> {
  const env = { PARE_PORT: '0', PARE_DATA_DIR: dataDir }
  const npm = ServiceProcess.run(['npm', 'start'], env)
  runs.push(npm)
  await until('npm start to say a first call', () => {
    if (!npm.isRunning) throw new Error(`it ended: ${npm.tail()}`)
    return npm.output.includes('Try: curl')
  })
  return npm
}

describe('npm start', () => {
  it('survives the kill of npm in nothing but its folder, and starts again on it at once', async () => {
    const killed = await start()
    const family = await descendantsOf(killed.pid)
    // Its output stays open for as long as the stack lives: the end is seen by the processes.
    killed.signal('SIGKILL')
    const next = await start()
    await untilGone(family)

    const nextFamily = await descendantsOf(next.pid)
    expect(nextFamily.length).toBeGreaterThan(2)
    expect(await next.stop()).toEqual({ code: 0, signal: null })
    await untilGone(nextFamily)
  }, 120_000)
})
