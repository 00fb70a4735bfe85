import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { describe, expect, it } from 'vitest'

import { FilesystemBlobStore } from './filesystem.js'
import { openBlobStore } from './open-blob-store.js'

describe('a storage URL', () => {
  it('of the form file: opens a folder, which is made when missing', async () => {
    const root = await mkdtemp(join(tmpdir(), 'pare-open-'))
    const store = await openBlobStore(pathToFileURL(join(root, 'deep', 'store')).href)
    expect(store).toBeInstanceOf(FilesystemBlobStore)
    await expect(store.checkHealth()).resolves.toBeUndefined()
    await rm(root, { recursive: true })
  })

  it.each(['not a url', 'ftp://host/blobs'])('%j is refused', async (url) => {
    await expect(openBlobStore(url)).rejects.toMatchObject({ code: 'storage_url_invalid' })
  })
})
