// Compiles every package into its dist folder; incremental, so a second run is nearly free.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { status } = spawnSync(process.execPath, ['scripts/typescript.mjs', '-b', 'tsconfig.json'], {
  cwd: root,
  stdio: 'inherit',
})
process.exit(status ?? 1)
