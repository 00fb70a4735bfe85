import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createConnection } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import pg from 'pg'
import { afterEach, expect, test } from 'vitest'

import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.js'
import { pickAccount } from './embedded/account.js'
import { findBinaries } from './embedded/binaries.js'
import { processExists } from './embedded/owner.js'
import { canReach } from './embedded/reach.js'

const folders: string[] = []
const servers: EmbeddedPostgres[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
  for (const dir of folders.splice(0)) await rm(dir, { recursive: true, force: true })
})

/** mkdtemp gives 0700: as root, a folder that the server's account cannot enter. */
async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'pare-embedded-'))
  folders.push(dir)
  return dir
}

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, durable: false })
  servers.push(server)
  return server
}

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(text)
  await client.end()
  return rows
}

async function postmasterPid(dataDir: string): Promise<number> {
  return Number.parseInt(await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8'), 10)
}

async function untilGone(pid: number): Promise<void> {
  while (processExists(pid)) await sleep(20)
}

/** Another process that runs a server on the folder until it is killed. */
async function startElsewhere(dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const module = new URL('../dist/embedded.js', import.meta.url).href
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)}
    const { url } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} })
    console.log(url)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const url of createInterface(child.stdout)) return { child, url }
  throw new Error('the other process ended')
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

test('it keeps its data over a stop, and a stop leaves no process', async () => {
  const dir = await newFolder()
  const first = await start(dir)
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = await postmasterPid(dir)
  await first.stop()
  expect(processExists(pid)).toBe(false)
  await first.stop()
  const second = await start(dir)
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('it listens on the loopback address only and wants the password', async () => {
  const dir = await newFolder()
  const { url, port } = await start(dir)
  expect(await query(url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
  expect(await query(url, 'SHOW unix_socket_directories')).toEqual([
    { unix_socket_directories: '' },
  ])
  expect((await stat(join(dir, 'password'))).mode & 0o777).toBe(0o600)
  const wrong = url.replace(/:[^:@]+@/, ':wrong@')
  await expect(query(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  const others = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
  for (const { address } of others) {
    const socket = createConnection(port, address)
    const [error] = (await once(socket, 'error')) as [Error & { code: string }]
    expect(error.code).toBe('ECONNREFUSED')
  }
})

test('it works where its account can reach the folder, too', async () => {
  const dir = await newFolder()
  await chmod(dir, 0o755)
  const { url } = await start(dir)
  expect(await query(url, 'SHOW data_directory')).toEqual([
    { data_directory: join(dir, 'cluster') },
  ])
})

test('a second process is refused while the first has the folder', async () => {
  const dir = await newFolder()
  const { child, url } = await startElsewhere(dir)
  await expect(start(dir)).rejects.toMatchObject({
    code: 'postgres_in_use',
    details: { pid: child.pid },
  })
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  const pid = await postmasterPid(dir)
  await kill(child)
  await untilGone(pid)
})

test('it dies with its parent, however the parent dies, and loses nothing', async () => {
  const dir = await newFolder()
  const { child, url } = await startElsewhere(dir)
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = await postmasterPid(dir)
  await kill(child)
  await untilGone(pid)
  const again = await start(dir)
  expect(await query(again.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('a crashed server is recovered', async () => {
  const dir = await newFolder()
  const { child, url } = await startElsewhere(dir)
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = await postmasterPid(dir)
  process.kill(pid, 'SIGKILL')
  await untilGone(pid)
  await kill(child)
  const again = await start(dir)
  expect(await query(again.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('a server that outlived its parent is stopped before the next one starts', async () => {
  const dir = await newFolder()
  const { child, url } = await startElsewhere(dir)
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = await postmasterPid(dir)
  const group = Number((await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')[2])
  // The supervising shells are in the server's process group; the server itself is spared.
  for (const shell of await processesOf(group, 'sh')) process.kill(shell, 'SIGKILL')
  await kill(child)
  expect(processExists(pid)).toBe(true)
  const again = await start(dir)
  expect(processExists(pid)).toBe(false)
  expect(await query(again.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

async function processesOf(group: number, name: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const entry of await readdir('/proc')) {
    const text = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    const [head = '', rest = ''] = text.split(') ')
    if (head.endsWith(`(${name}`) && Number(rest.split(' ')[2]) === group) found.push(Number(entry))
  }
  return found
}

test('the mark of a dead server whose number lives on elsewhere does not stop the start', async () => {
  const dir = await newFolder()
  await (await start(dir)).stop()
  await writeFile(join(dir, 'cluster', 'postmaster.pid'), `${process.pid}\n`)
  const { url } = await start(dir)
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('an initialisation cut short is begun anew', async () => {
  const dir = await newFolder()
  await mkdir(join(dir, 'cluster.new-dead', 'base'), { recursive: true })
  const { url } = await start(dir)
  expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await expect(stat(join(dir, 'cluster.new-dead'))).rejects.toMatchObject({ code: 'ENOENT' })
})

const NOBODY = { uid: 65534, gid: 65534 }

test('programs in a folder that the account cannot reach are copied, once and completely', async () => {
  const here = dirname(dirname((await findBinaries({ account: null })).postgres))
  const hidden = join(await newFolder(), 'native')
  await cp(here, hidden, { recursive: true, verbatimSymlinks: true })
  // As an installation under umask 077 leaves them.
  for (const entry of await readdir(hidden, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isSymbolicLink()) await chmod(path, (await stat(path)).mode & 0o700)
  }
  await chmod(hidden, 0o700)
  const parent = await newFolder()
  await chmod(parent, 0o755)
  const native = { dir: hidden, version: '0' }
  const find = () => findBinaries({ account: NOBODY, native, copyParents: ['/root', parent] })
  const { postgres } = await find()
  expect(postgres.startsWith(parent)).toBe(true)
  expect(await canReach(postgres, NOBODY)).toBe(true)
  expect(await find()).toEqual({ postgres, initdb: join(dirname(postgres), 'initdb') })
  await rm(join(dirname(postgres), 'initdb'))
  expect(await find()).toEqual({ postgres, initdb: join(dirname(postgres), 'initdb') })
  expect((await stat(join(dirname(postgres), 'initdb'))).size).toBeGreaterThan(100_000)

  const asNobody = process.getuid?.() === 0 ? NOBODY : {}
  for (const program of [postgres, join(dirname(postgres), 'initdb')]) {
    const { stdout } = await promisify(execFile)(program, ['--version'], asNobody)
    expect(stdout).toContain('(PostgreSQL)')
  }

  const home = dirname(dirname(dirname(postgres)))
  await rm(home, { recursive: true })
  await symlink(hidden, home)
  expect((await find()).postgres.startsWith(`${home}-`)).toBe(true)
})

test('root lends the server the account nobody, or the last one there is', () => {
  const root = 'root:x:0:0:root:/root:/bin/bash\n'
  const nobody = 'nobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n'
  const user = 'node:x:1000:1001::/home/node:/bin/bash\n'
  expect(pickAccount(root + nobody + user)).toEqual({ uid: 65534, gid: 65533 })
  expect(pickAccount(root + user)).toEqual({ uid: 1000, gid: 1001 })
  expect(pickAccount(root)).toBeNull()
})
