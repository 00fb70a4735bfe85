import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { describeBlobStore, filesBelow } from './conformance.js'
import { FilesystemBlobStore } from './filesystem.js'

describeBlobStore('a folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'pare-fs-store-'))
  return {
    store: await FilesystemBlobStore.open({ root }),
    async corrupt(sha256, bytes) {
      const path = join(root, 'blobs', sha256.slice(0, 2), sha256.slice(2))
      await chmod(path, 0o600)
      await writeFile(path, bytes)
    },
    leftovers: () => filesBelow(join(root, 'tmp')),
    dispose: () => rm(root, { recursive: true, force: true }),
  }
})

describe('the temporary files of a folder store', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'pare-fs-store-'))
    await FilesystemBlobStore.open({ root })
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  it('are removed at the next start when their process is gone or they are old', async () => {
    const { pid: deadPid } = spawnSync(process.execPath, ['-e', ''])
    const names = {
      dead: `${hostname()}~${deadPid}~a`,
      alive: `${hostname()}~${process.ppid}~b`,
      elsewhere: 'another-machine~1~c',
      old: 'another-machine~1~d',
    }
    for (const name of Object.values(names)) await writeFile(join(root, 'tmp', name), 'half')
    const longAgo = new Date(Date.now() - 24 * 60 * 60 * 1000)
    await utimes(join(root, 'tmp', names.old), longAgo, longAgo)

    await FilesystemBlobStore.open({ root })
    const kept = await readdir(join(root, 'tmp'))
    expect(kept.toSorted()).toEqual([names.alive, names.elsewhere].toSorted())
  })
})
