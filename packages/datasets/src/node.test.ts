import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, it } from 'vitest'

import { createFile, openFile } from './node.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-datasets-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('reads any part of a file, and no more than there is', async () => {
  const path = join(folder, 'in')
  await writeFile(path, 'hello world')
  const file = await openFile(path)
  expect(file.sizeBytes).toBe(11)
  expect(new TextDecoder().decode(await file.read(6, 5))).toBe('world')
  await expect(file.read(6, 6)).rejects.toMatchObject({ code: 'dataset_truncated' })
  await expect(file.read(-1, 2)).rejects.toMatchObject({ code: 'dataset_truncated' })
  await file.close()
})

it('writes in order and never over an existing file', async () => {
  const path = join(folder, 'out')
  const sink = await createFile(path)
  await sink.write(new TextEncoder().encode('hello '))
  await sink.write(new TextEncoder().encode('world'))
  await sink.close()
  expect(await readFile(path, 'utf8')).toBe('hello world')
  await expect(createFile(path)).rejects.toMatchObject({ code: 'EEXIST' })
})
