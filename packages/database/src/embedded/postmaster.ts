// The server process. It is started by a small shell that watches a pipe from us: when the pipe
// closes, because we stop it or because we were killed, the shell asks the server to shut down.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, readlink, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'

import { errors } from '../errors.js'
import type { Account } from './account.js'
import { type Cluster, DATABASE, pathFor, ROLE, SERVER_ENVIRONMENT } from './cluster.js'
import { processExists } from './owner.js'

export interface Postmaster {
  readonly process: ChildProcess
  readonly port: number
}

export interface PostmasterOptions {
  readonly postgres: string
  readonly cluster: Cluster
  readonly account: Account | null
  readonly logFile: string
  readonly port: number | undefined
  /** Server settings, by name. */
  readonly settings: Readonly<Record<string, string>>
}

// A background command of sh reads /dev/null unless told otherwise, hence the two redirections;
// `wait` gives the server's own exit code, and the watcher must not outlive the server.
const SUPERVISOR = `
"$@" </dev/null & server=$!
{ cat >/dev/null; kill -INT $server; } <&3 2>/dev/null & watcher=$!
wait $server; code=$?
kill $watcher 2>/dev/null
exit $code`

const START_TIMEOUT_MS = 120_000
const LOG_LIMIT_BYTES = 10_000_000
/** What a server that follows too soon on another one dies of: worth another try. */
const TRANSIENT = /Address already in use|pre-existing shared memory block/
const MAX_TRIES = 20

/** Starts the server and waits until it answers, recovery after a crash included. */
export async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    const { child, logStart } = await launch(options, port)
    const failure = await waitUntilReady(child, { ...options, port })
    if (failure === null) return { process: child, port }
    const log = (await readFile(options.logFile, 'utf8')).slice(logStart)
    if (!TRANSIENT.test(log) || attempt === MAX_TRIES) {
      throw errors.postgres_unavailable(`PostgreSQL ${failure}: ${log.trim().slice(-1500)}`)
    }
    await sleep(250)
  }
}

async function launch(
  options: PostmasterOptions,
  port: number,
): Promise<{ readonly child: ChildProcess; readonly logStart: number }> {
  const { cluster, account, logFile } = options
  const size = (await stat(logFile).catch(() => null))?.size ?? 0
  const log = await open(logFile, size > LOG_LIMIT_BYTES ? 'w' : 'a', 0o600)
  const logStart = size > LOG_LIMIT_BYTES ? 0 : size
  const settings = { ...options.settings, port: String(port) }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = [options.postgres, '-D', await pathFor(cluster.dir, account), ...args]
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'pare-postgres', ...command], {
    cwd: cluster.dir,
    env: SERVER_ENVIRONMENT,
    stdio: ['ignore', log.fd, log.fd, 'pipe'],
    // Its own session: a Ctrl-C in the terminal is ours to handle, not the server's.
    detached: true,
    ...(account ?? {}),
  })
  await Promise.race([once(child, 'spawn'), once(child, 'error')])
  await log.close()
  // Neither the server nor the pipe to it keeps our process alive.
  child.unref()
  const pipe = child.stdio[3]
  if (pipe !== null && pipe !== undefined && 'unref' in pipe) (pipe.unref as () => void)()
  return { child, logStart }
}

/** Null when the server answers; else how it failed. */
async function waitUntilReady(
  child: ChildProcess,
  { port, cluster }: PostmasterOptions & { readonly port: number },
): Promise<string | null> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) return 'ended during its start'
    if (child.pid === undefined) return 'could not be started: /bin/sh is missing'
    if (await answers(urlOf(cluster, port))) return null
    await sleep(20)
  }
  await stopPostmaster(child, cluster.dir)
  return `did not answer within ${START_TIMEOUT_MS / 1000} s`
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    // Refused, or starting up: the caller looks whether the process is still there.
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

export function urlOf({ password }: Cluster, port: number, database: string = DATABASE): string {
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${database}`
}

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

const FAST_MS = 7000
const IMMEDIATE_MS = 2000

/** Fast shutdown; when it takes too long an immediate one, from which the next start recovers. */
export async function stopPostmaster(child: ChildProcess, clusterDir: string): Promise<void> {
  const exited = hasExited(child) ? Promise.resolve() : once(child, 'exit')
  child.ref()
  const pipe = child.stdio[3]
  pipe?.destroy()
  if (await within(exited, FAST_MS)) return
  const pid = (await readPidFile(clusterDir)) ?? child.pid
  signal(pid, 'SIGQUIT')
  if (await within(exited, IMMEDIATE_MS)) return
  signal(pid, 'SIGKILL')
  await exited
}

function hasExited(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

async function within(exited: Promise<unknown>, ms: number): Promise<boolean> {
  const abort = new AbortController()
  const late = sleep(ms, false, { signal: abort.signal }).catch(() => false)
  const done = await Promise.race([exited.then(() => true), late])
  abort.abort()
  return done
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/**
 * Stops a server that was left running on the folder, and removes the mark of one that crashed: its
 * number may belong to another process by now, and PostgreSQL would refuse to start.
 */
export async function stopStalePostmaster(clusterDir: string): Promise<void> {
  const pid = await readPidFile(clusterDir)
  if (pid === null) return
  for (const [name, ms] of [
    ['SIGINT', FAST_MS],
    ['SIGQUIT', IMMEDIATE_MS],
    ['SIGKILL', IMMEDIATE_MS],
  ] as const) {
    if (!(await isServerOf(pid, clusterDir))) break
    signal(pid, name)
    const deadline = performance.now() + ms
    while (processExists(pid) && performance.now() < deadline) await sleep(25)
  }
  await rm(join(clusterDir, 'postmaster.pid'), { force: true })
}

async function readPidFile(clusterDir: string): Promise<number | null> {
  const text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  return Number.isInteger(pid) && pid > 1 ? pid : null
}

/** A server stands in its data directory; where /proc does not tell, the mark is believed. */
async function isServerOf(pid: number, clusterDir: string): Promise<boolean> {
  if (!processExists(pid)) return false
  if (process.platform !== 'linux') return true
  return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === clusterDir
}
