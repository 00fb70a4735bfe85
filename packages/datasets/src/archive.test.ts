// Hostile and broken uploads: each is refused with its own code, and none is held in memory.
import { deflateRawSync } from 'node:zlib'

import { describe, expect, it } from 'vitest'

import { openArrays } from './array-source.js'
import { bytesAccess } from './random-access.js'
import { float32Array, int64Array, joinBytes, npy, npz, type TestEntry, zip } from './testing.js'

const content = npy(float32Array([2, 2], [1, 2, 3, 4]))
const sound: TestEntry = { name: 'x.npy', content }

/** Opens and reads everything. */
async function readAll(bytes: Uint8Array): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {}
  for (const array of await openArrays(bytesAccess(bytes))) {
    sizes[array.name] = 0
    for await (const piece of array.elements()) sizes[array.name]! += piece.byteLength
  }
  return sizes
}

describe('openArrays', () => {
  it.each([true, false])('reads archives, compressed or not (%s)', async (compressed) => {
    const bytes = npz(
      { x: float32Array([2, 2], [1, 2, 3, 4]), label: int64Array([2], [0, 1]) },
      {
        compressed,
      },
    )
    expect(await readAll(bytes)).toEqual({ x: 16, label: 16 })
  })

  it('reads a bare array under the name it is given', async () => {
    expect(await readAll(content)).toEqual({ arr_0: 16 })
    const [array] = await openArrays(bytesAccess(content), { arrayName: 'image' })
    expect(array?.name).toBe('image')
  })

  it('reads an archive with a comment, in which an end record may be quoted', async () => {
    expect(await readAll(zip([sound], new TextEncoder().encode('hello')))).toEqual({ x: 16 })
    const quoted = zip([], new Uint8Array(0))
    expect(await readAll(zip([sound], joinBytes([quoted, Uint8Array.of(1)])))).toEqual({ x: 16 })
  })

  it('accepts names with slashes and colons, as exporters give them to inputs', async () => {
    const names = ['serving/input.npy', 'x:0.npy', 'größe.npy']
    const sizes = await readAll(zip(names.map((name) => ({ name, content }))))
    expect(Object.keys(sizes)).toEqual(['serving/input', 'x:0', 'größe'])
  })

  it('turns big-endian elements around', async () => {
    const bytes = npy(float32Array([2], [1, 2]))
    bytes.set(Buffer.from(bytes.subarray(-8)).swap32(), bytes.length - 8)
    bytes.set(new TextEncoder().encode('>'), bytes.indexOf('<'.charCodeAt(0)))
    const [array] = await openArrays(bytesAccess(bytes))
    const pieces: Uint8Array[] = []
    for await (const piece of array!.elements()) pieces.push(piece)
    expect([...new Float32Array(joinBytes(pieces).buffer)]).toEqual([1, 2])
    expect(array!.offset).toBeUndefined()
  })

  it.each([
    ['something else', new TextEncoder().encode('hello, world'), 'dataset_format_unknown'],
    ['nothing', new Uint8Array(), 'dataset_format_unknown'],
    ['a pickle', Uint8Array.of(0x80, 4, 0x95, 1, 2, 3), 'dataset_format_unknown'],
    ['half an archive', zip([sound]).subarray(0, 150), 'dataset_truncated'],
    ['half an array', content.subarray(0, content.length - 3), 'dataset_truncated'],
    ['an array with a tail', joinBytes([content, Uint8Array.of(1)]), 'dataset_array_invalid'],
  ])('refuses %s', async (_, bytes, code) => {
    await expect(readAll(bytes)).rejects.toMatchObject({ code })
  })

  it.each([
    ['a parent folder', '../x.npy'],
    ['a parent folder inside', 'a/../../x.npy'],
    ['an absolute path', '/etc/x.npy'],
    ['a backslash', 'a\\x.npy'],
    ['a drive', 'C:/x.npy'],
    ['a NUL', 'x\0.npy'],
    ['an empty segment', 'a//x.npy'],
    ['a folder', 'a/'],
    ['no name', '.npy'],
    ['another kind of file', 'readme.txt'],
    ['an archive in the archive', 'more.zip'],
    ['a name of a kilobyte', `${'x'.repeat(1024)}.npy`],
  ])('refuses an entry named as %s', async (_, name) => {
    await expect(readAll(zip([{ name, content }]))).rejects.toMatchObject({
      code: 'dataset_archive_entry_refused',
    })
  })

  it.each([
    ['case', 'X.npy'],
    ['nothing', 'x.npy'],
    ['Unicode form', 'ｘ.npy'],
  ])('refuses two names that differ by %s', async (_, name) => {
    await expect(readAll(zip([sound, { name, content }]))).rejects.toMatchObject({
      code: 'dataset_archive_entry_refused',
    })
  })

  it.each<[string, TestEntry['claims'] & object, string]>([
    ['encryption', { flags: 0x801 }, 'dataset_archive_entry_refused'],
    ['a symbolic link', { unixMode: 0o120777 }, 'dataset_archive_entry_refused'],
    ['a device', { unixMode: 0o020666 }, 'dataset_archive_entry_refused'],
    ['another compression', { method: 12 }, 'dataset_archive_entry_refused'],
    ['a wrong checksum', { crc32: 1 }, 'dataset_archive_invalid'],
    ['two sizes for stored bytes', { inflatedBytes: 10 }, 'dataset_archive_entry_refused'],
    ['a place inside the directory', { localOffset: 5000 }, 'dataset_archive_invalid'],
    ['zip64', { inflatedBytes: 0xffff_ffff }, 'dataset_limit_exceeded'],
  ])('refuses an entry that claims %s', async (_, claims, code) => {
    await expect(readAll(zip([{ ...sound, claims }]))).rejects.toMatchObject({ code })
  })

  it('refuses entries that share bytes', async () => {
    const twins = zip([sound, { name: 'y.npy', content, claims: { localOffset: 0 } }])
    await expect(readAll(twins)).rejects.toMatchObject({ code: 'dataset_archive_entry_refused' })
  })

  it('refuses an archive that is not an array inside', async () => {
    const nested = { name: 'x.npy', content: zip([sound]) }
    const text = { name: 'x.npy', content: new TextEncoder().encode('not an array at all') }
    await expect(readAll(zip([nested]))).rejects.toMatchObject({
      code: 'dataset_archive_entry_refused',
    })
    await expect(readAll(zip([text]))).rejects.toMatchObject({ code: 'dataset_array_invalid' })
  })

  it('refuses more entries than allowed', async () => {
    const many = Array.from({ length: 65 }, (_, index) => ({ name: `x${index}.npy`, content }))
    await expect(readAll(zip(many))).rejects.toMatchObject({ code: 'dataset_limit_exceeded' })
  })

  it('refuses damaged compressed bytes', async () => {
    const bytes = zip([{ ...sound, compressed: true }])
    bytes[35] = 0x07 // after the local header of 35 bytes: a block of the reserved type 3
    await expect(readAll(bytes)).rejects.toMatchObject({ code: 'dataset_archive_invalid' })
  })
})

describe('archives that inflate', () => {
  const zeros = npy({ dataType: 'uint8', dims: [100 << 20], data: new Uint8Array(100 << 20) })

  it('are refused at once when they claim more than 200 to 1', async () => {
    await expect(
      readAll(zip([{ name: 'x.npy', content: zeros, compressed: true }])),
    ).rejects.toMatchObject({
      code: 'dataset_inflation_refused',
    })
  })

  it('are stopped at the claimed size when they inflate to more', async () => {
    const body = deflateRawSync(zeros)
    const claims = { method: 8, inflatedBytes: 1000, compressedBytes: body.byteLength }
    const bytes = zip([{ name: 'x.npy', content: body, claims }])
    let read = 0
    const counting = {
      ...bytesAccess(bytes),
      read: (offset: number, length: number) => {
        read += length
        return bytesAccess(bytes).read(offset, length)
      },
    }
    await expect(openArrays(counting)).rejects.toMatchObject({ code: 'dataset_inflation_refused' })
    // The directory is found in the last 64 kB; after that one piece was enough.
    expect(read).toBeLessThan(300_000)
  })

  it('may be masks of a few megabytes at any ratio', async () => {
    const mask = npy({ dataType: 'uint8', dims: [1 << 20], data: new Uint8Array(1 << 20) })
    expect(await readAll(zip([{ name: 'mask.npy', content: mask, compressed: true }]))).toEqual({
      mask: 1 << 20,
    })
  })
})
