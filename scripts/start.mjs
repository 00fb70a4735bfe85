// npm start: builds what changed, then runs the embedded stack in this terminal until stopped.
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' })
if (build.status !== 0) process.exit(build.status ?? 1)

const stack = spawn(process.execPath, ['services/standalone/dist/main.js'], {
  cwd: root,
  stdio: 'inherit',
})
// A terminal's Ctrl-C reaches the child as well; a plain `kill` reaches only this process.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stack.kill(signal))
stack.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
