// The embedded stack as a process: what it says, what it keeps, and what it leaves behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const LONG = 120_000

let dataDir: string
let children: ChildProcess[]

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pare-standalone-test-'))
  children = []
})
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  // PostgreSQL goes a moment after its parent.
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
})

interface Run {
  readonly child: ChildProcess
  readonly output: () => string
}

function run(env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], PARE_PORT: '0', PARE_DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  return { child, output: () => output }
}

/** Resolves with its address when it has introduced itself. */
async function untilReady({ child, output }: Run): Promise<string> {
  for (;;) {
    const url = /listens on (\S+)[^]*Try: curl/.exec(output())?.[1]
    if (url !== undefined) return url
    if (child.exitCode !== null) throw new Error(`it ended: ${output()}`)
    await sleep(20)
  }
}

/** Its first children: what makes the database. */
async function untilFamily({ child, output }: Run): Promise<readonly number[]> {
  for (;;) {
    const family = await childrenOf(child.pid ?? 0)
    if (family.length > 0) return family
    if (child.exitCode !== null) throw new Error(`it ended: ${output()}`)
    await sleep(5)
  }
}

async function stop({ child }: Run, signal: NodeJS.Signals): Promise<unknown> {
  const exited = once(child, 'exit')
  child.kill(signal)
  return (await exited)[0]
}

async function canList(url: string, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/jobs`, { headers: { authorization: `Bearer ${key}` } })
  return response.status
}

/** Processes whose command line or current folder names the data folder or the process. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const path = `/proc/${pid}/task/${pid}/children`
  const direct = (await readFile(path, 'utf8').catch(() => '')).split(' ').filter(Boolean)
  const below = await Promise.all(direct.map((child) => childrenOf(Number(child))))
  return [...direct.map(Number), ...below.flat()]
}

async function untilGone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    while ((await commandOf(pid)) !== null) await sleep(20)
  }
}

/** Null when it has ended, also when nobody has taken note of its end. */
async function commandOf(pid: number): Promise<string | null> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command === '' ? null : command
}

/** PostgreSQL and an engine that waits for work. */
async function familyOf({ child }: Run): Promise<readonly number[]> {
  const family = await childrenOf(child.pid ?? 0)
  const commands = (await Promise.all(family.map(commandOf))).join('\n')
  expect(commands).toMatch(/postgres/)
  expect(commands).toMatch(/engine/)
  return family
}

async function untilWorker({ child }: Run): Promise<number> {
  for (;;) {
    for (const pid of await childrenOf(child.pid ?? 0)) {
      if ((await commandOf(pid))?.includes(join('worker', 'dist', 'main.js')) === true) return pid
    }
    await sleep(20)
  }
}

describe('the embedded stack', () => {
  it(
    'shows a new key once and keeps it, stops within 10 s, and leaves no process behind',
    async () => {
      const first = run()
      const url = await untilReady(first)
      const key = /shown this once[^]*: (pare_\S+)/.exec(first.output())?.[1] ?? ''
      expect(await canList(url, key)).toBe(200)
      const family = await familyOf(first)
      const start = performance.now()
      expect(await stop(first, 'SIGTERM')).toBe(0)
      expect(performance.now() - start).toBeLessThan(10_000)
      await untilGone(family)

      const second = run()
      const secondUrl = await untilReady(second)
      expect(second.output()).not.toContain(key)
      expect(second.output()).toContain(join(dataDir, 'api-key'))
      expect(await canList(secondUrl, key)).toBe(200)
      expect(await canList(secondUrl, `${key}x`)).toBe(401)
      const secondFamily = await familyOf(second)
      await stop(second, 'SIGKILL')
      await untilGone(secondFamily)
    },
    LONG,
  )

  it(
    'takes port and key from the environment; another one is refused its folder and its port',
    async () => {
      const port = String(await freePort())
      const key = 'a-key-of-the-operator'
      const first = run({ PARE_PORT: port, PARE_API_KEY: key })
      const url = await untilReady(first)
      expect(new URL(url).port).toBe(port)
      expect(await canList(url, key)).toBe(200)
      expect(first.output()).not.toContain(key)
      expect(first.output()).toContain('$PARE_API_KEY')

      const sameFolder = run()
      const samePort = run({ PARE_PORT: port, PARE_DATA_DIR: join(dataDir, 'other') })
      const family = await untilFamily(samePort)
      const ends = [sameFolder, samePort].map(({ child }) => once(child, 'close'))
      expect((await Promise.all(ends)).map(([code]) => code as number)).toEqual([1, 1])
      expect(sameFolder.output()).toMatch(/in use by process \d+/)
      expect(samePort.output()).toContain(port)
      await untilGone(family)
      expect(await canList(url, key)).toBe(200)
      expect(await stop(first, 'SIGINT')).toBe(0)
    },
    LONG,
  )

  it(
    'starts as if new after it was killed while it made its database',
    async () => {
      const first = run()
      const family = await untilFamily(first)
      await stop(first, 'SIGKILL')
      await untilGone(family)
      const second = run()
      const url = await untilReady(second)
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect(second.output()).toContain('shown this once')
    },
    LONG,
  )

  it(
    'replaces a worker that died, and goes with it when it is killed itself',
    async () => {
      const stack = run()
      await untilReady(stack)
      const lost = await untilWorker(stack)
      process.kill(lost, 'SIGKILL')
      await untilGone([lost])
      const next = await untilWorker(stack)
      expect(next).not.toBe(lost)
      const family = await childrenOf(stack.child.pid ?? 0)
      await stop(stack, 'SIGKILL')
      await untilGone(family)
    },
    LONG,
  )

  it(
    'names the setting that it cannot use',
    async () => {
      const stack = run({ PARE_PORT: 'http' })
      const [code] = (await once(stack.child, 'close')) as [number]
      expect(code).toBe(1)
      expect(stack.output()).toContain('PARE_PORT')
    },
    LONG,
  )
})

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return address.port
}
