// The data folder of the embedded server: made once, with one role, one database and a password
// that only our account can read.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lchown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { errors } from '../errors.js'
import type { Account } from './account.js'
import type { Binaries } from './binaries.js'
import { canReach } from './reach.js'

export const ROLE = 'pare'
export const DATABASE = 'pare'

export interface Cluster {
  /** PostgreSQL's own data directory. */
  readonly dir: string
  readonly password: string
}

export interface ClusterOptions {
  readonly dataDir: string
  readonly binaries: Binaries
  readonly account: Account | null
  /** False skips the waits for the disk: for tests. */
  readonly durable: boolean
}

/** Opens the cluster in the folder, making it when there is none. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const { dataDir, account } = options
  const dir = join(dataDir, 'cluster')
  const passwordFile = join(dataDir, 'password')
  await removeUnfinished(dataDir)
  if (!(await isDirectory(dir))) {
    const password = randomBytes(24).toString('base64url')
    await writeFile(passwordFile, password, { mode: 0o600 })
    await makeCluster(options, dir, password)
  }
  await giveTo(dir, account)
  return { dir, password: await readFile(passwordFile, 'utf8') }
}

/** Makes it under another name first: a crash in the middle leaves nothing that looks whole. */
async function makeCluster(options: ClusterOptions, dir: string, password: string): Promise<void> {
  const { binaries, account, durable } = options
  const fresh = join(options.dataDir, `cluster.new-${randomBytes(4).toString('hex')}`)
  await mkdir(fresh, { mode: 0o700 })
  await giveTo(fresh, account)
  await run(binaries.initdb, {
    args: [
      ...['-D', await pathFor(fresh, account), '-U', ROLE],
      ...['--encoding=UTF8', '--locale=C', '--auth=trust'],
      ...(durable ? [] : ['--no-sync']),
    ],
    cwd: fresh,
    account,
  })
  await writeFile(join(fresh, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n')
  await run(binaries.postgres, {
    args: [
      ...['--single', '-D', await pathFor(fresh, account)],
      ...['-c', 'exit_on_error=true', ...(durable ? [] : ['-F']), 'postgres'],
    ],
    cwd: fresh,
    account,
    input: `ALTER ROLE ${ROLE} PASSWORD '${password}'\nCREATE DATABASE ${DATABASE}\n`,
  })
  await rename(fresh, dir)
}

/**
 * How the server names its data directory. Below a folder that its account cannot enter no path
 * leads there, but the child process was put into the directory before it gave up root's rights,
 * so it is where it stands.
 */
export async function pathFor(dir: string, account: Account | null): Promise<string> {
  if (await canReach(dir, account)) return dir
  if (process.platform === 'linux') return '/proc/self/cwd'
  throw errors.postgres_unavailable(
    `the server's account cannot enter ${dir}: choose another data folder, or run as an ordinary user`,
  )
}

interface Command {
  readonly args: readonly string[]
  readonly cwd: string
  readonly account: Account | null
  readonly input?: string
}

/** Runs a program with a clean environment; throws what it printed when it fails. */
async function run(program: string, { args, cwd, account, input }: Command): Promise<void> {
  const promise = promisify(execFile)(program, args, {
    cwd,
    env: SERVER_ENVIRONMENT,
    ...(account ?? {}),
    maxBuffer: 1 << 24,
  })
  promise.child.stdin?.end(input)
  try {
    await promise
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw errors.postgres_unavailable(
      `${program} failed: ${`${stdout}\n${stderr}`.trim().slice(-1500)}`,
      { cause },
    )
  }
}

/** The server sees nothing of our environment: no PG* variables, no credentials. */
export const SERVER_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' }

async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith('cluster.new-')) await rm(join(dataDir, name), { recursive: true })
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false
}

/** Hands a folder over, when it is not the account's already. */
async function giveTo(dir: string, account: Account | null): Promise<void> {
  if (account === null || (await stat(dir)).uid === account.uid) return
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    await lchown(join(entry.parentPath, entry.name), account.uid, account.gid)
  }
  await lchown(dir, account.uid, account.gid)
}
