// Starts the embedded stack in a temporary folder, for the demo and the benchmarks.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Starts the stack and waits for its address; stopping it takes the process and its folder away. */
export async function startStack(settings = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'pare-demo-'))
  const apiKey = `pare_${randomBytes(24).toString('base64url')}`
  const child = spawn(process.execPath, ['services/standalone/dist/main.js'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      PARE_PORT: '0',
      PARE_HOST: '127.0.0.1',
      PARE_DATA_DIR: dataDir,
      PARE_API_KEY: apiKey,
      WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
      ...settings,
    },
  })
  const exited = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGTERM')
    const [code] = await exited
    await rm(dataDir, { recursive: true, force: true })
    return code
  }
  const failed = exited.then(([code]) => {
    throw new Error(`the stack ended before it was ready, with exit code ${code}`)
  })
  failed.catch(() => {})
  try {
    const [message] = await Promise.race([once(child, 'message'), failed])
    return { url: message.url, apiKey, pid: child.pid, dataDir, stop }
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true })
    throw error
  }
}

/** The same parts as an installation has them: API and worker each in a process of its own. */
export async function startSeparateStack() {
  const { startEmbeddedPostgres } = await import('../packages/database/dist/embedded.js')
  const dataDir = await mkdtemp(join(tmpdir(), 'pare-demo-'))
  const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') })
  const apiKey = `pare_${randomBytes(24).toString('base64url')}`
  const port = await freePort()
  const env = {
    DATABASE_URL: postgres.url,
    STORAGE_URL: pathToFileURL(join(dataDir, 'blobs')).href,
    PARE_API_KEY: apiKey,
    PARE_DATA_DIR: dataDir,
    PARE_LOG_LEVEL: 'error',
    PARE_PORT: String(port),
  }
  const start = (service) =>
    spawn(process.execPath, [`services/${service}/dist/main.js`], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      env,
    })
  const url = `http://127.0.0.1:${port}`
  const api = start('api')
  while (!(await isReady(url))) await new Promise((resolve) => setTimeout(resolve, 100))
  const worker = start('worker')
  const stop = async () => {
    for (const child of [worker, api]) {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    }
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
  return { url, apiKey, stop }
}

const isReady = (url) =>
  fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
