// npm start: builds what changed, then is the embedded stack, in this terminal, until stopped.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// Killed before it could pass a signal on, npm leaves us behind: then we stop, too.
const npm = process.env.npm_lifecycle_event === undefined ? null : process.ppid

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const build = spawnSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' })
if (build.status !== 0) process.exit(build.status ?? 1)

if (npm !== null) {
  const watch = () => process.ppid !== npm && process.kill(process.pid, 'SIGTERM')
  setInterval(watch, 250).unref()
}
await import('../services/standalone/dist/main.js')
