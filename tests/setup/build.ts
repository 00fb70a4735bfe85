import { execFileSync } from 'node:child_process'

/** Engine and worker processes run from dist, so a test run starts from a fresh build. */
export default function setup(): void {
  if (process.env['PARE_SKIP_BUILD'] !== undefined) return
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' })
}
