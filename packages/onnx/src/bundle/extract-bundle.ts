/**
 * Unpacks an upload into a folder of its own. An upload is a bare .onnx file or a zip archive of one
 * .onnx file and the external data it names; the content decides, not the name. What is not
 * compressed is checked and used where it is. Files are written by us alone, each new (O_EXCL), so
 * none can be a link.
 */
import { createWriteStream, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'

import { scanErrors } from '../scan/errors.js'
import { isZip, SNIFF_BYTES } from '../scan/sniff-format.js'
import { type BundleLimits, DEFAULT_BUNDLE_LIMITS } from './limits.js'
import { openPlainFile, type PlainFile } from './plain-file.js'
import { readZipDirectory, type ZipEntry } from './zip-directory.js'

/** A file of an upload: bytes of a file on the disk. */
export interface BundleFile {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

export interface Bundle {
  /** The .onnx file. */
  readonly model: BundleFile
  /** Each further file by name. */
  readonly members: ReadonlyMap<string, BundleFile>
}

export interface ExtractOptions {
  readonly path: string
  /** An existing empty folder that nobody else writes to. */
  readonly directory: string
  readonly limits?: Partial<BundleLimits>
}

/**
 * @throws bundle_archive_invalid, bundle_entry_refused, bundle_model_missing,
 *   bundle_model_ambiguous, bundle_too_large, bundle_inflation_refused, file_not_plain
 */
export async function extractBundle(options: ExtractOptions): Promise<Bundle> {
  const limits = { ...DEFAULT_BUNDLE_LIMITS, ...options.limits }
  const upload = openPlainFile(options.path)
  try {
    const { source } = upload
    const head = source.size === 0 ? new Uint8Array(0) : source.read(0, SNIFF_BYTES)
    if (!isZip(head)) {
      const { size } = statSync(options.path)
      return { model: { path: options.path, offset: 0, bytes: size }, members: new Map() }
    }
    checkEmptyDirectory(options.directory)
    const entries = readZipDirectory(source, limits)
    const model = findModel(entries)
    const budget = { left: allowance(source.size, limits) }
    const files = new Map<ZipEntry, BundleFile>()
    for (const entry of entries) {
      files.set(entry, await openEntry(upload, entry, { ...options, budget }))
    }
    const members = entries.filter((entry) => entry !== model)
    return {
      model: files.get(model)!,
      members: new Map(members.map((entry) => [entry.name, files.get(entry)!])),
    }
  } finally {
    upload.close()
  }
}

function checkEmptyDirectory(directory: string): void {
  if (!lstatSync(directory).isDirectory() || readdirSync(directory).length > 0) {
    throw new Error('an upload is unpacked into an empty folder only')
  }
}

function findModel(entries: readonly ZipEntry[]): ZipEntry {
  const models = entries.filter(({ name }) => name.toLowerCase().endsWith('.onnx'))
  const [model] = models
  if (model === undefined) {
    throw scanErrors.bundle_model_missing(
      'put one .onnx file and its external data into the archive',
    )
  }
  if (models.length > 1) {
    const names = models.map(({ name }) => name).join(', ')
    throw scanErrors.bundle_model_ambiguous(`the archive holds ${models.length}: ${names}`)
  }
  return model
}

function allowance(archiveBytes: number, limits: BundleLimits): number {
  const { ratioFloorBytes, largeBytes } = limits
  const small = Math.min(largeBytes, Math.max(ratioFloorBytes, archiveBytes * limits.maxRatio))
  return Math.min(limits.maxInflatedBytes, Math.max(small, archiveBytes * limits.maxLargeRatio))
}

const READ_BYTES = 64 * 1024
const CHECK_BYTES = 4 * 1024 * 1024

interface Budget {
  left: number
}

interface Place extends Pick<ExtractOptions, 'path' | 'directory'> {
  readonly budget: Budget
}

async function openEntry(upload: PlainFile, entry: ZipEntry, place: Place): Promise<BundleFile> {
  const { name, dataOffset, inflatedBytes } = entry
  if (entry.method === 'stored') {
    checkStored(upload, entry)
    return { path: place.path, offset: dataOffset, bytes: inflatedBytes }
  }
  const path = join(place.directory, name)
  await inflateEntry(upload, entry, { path, budget: place.budget })
  return { path, offset: 0, bytes: inflatedBytes }
}

function checkStored({ readRange }: PlainFile, entry: ZipEntry): void {
  const end = entry.dataOffset + entry.inflatedBytes
  let sum = 0
  for (let at = entry.dataOffset; at < end; at += CHECK_BYTES) {
    const piece = readRange(at, Math.min(CHECK_BYTES, end - at))
    if (at === entry.dataOffset) checkNoArchive(entry, piece)
    sum = crc32(piece, sum)
  }
  if (sum !== entry.crc32) throw damaged(entry, 'its checksum is wrong')
}

function checkNoArchive({ name }: ZipEntry, head: Uint8Array): void {
  if (!isZip(head)) return
  throw scanErrors.bundle_entry_refused(`'${name}' is an archive in the archive`)
}

async function inflateEntry(
  upload: PlainFile,
  entry: ZipEntry,
  { path, budget }: { readonly path: string; readonly budget: Budget },
): Promise<void> {
  const out = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  const count = new EntryCheck(entry, budget)
  if (entry.compressedBytes === 0) {
    count.end()
    return pipeline(count, out)
  }
  const raw = Readable.from(compressedBytes(upload, entry), { objectMode: false })
  try {
    await pipeline(raw, createInflateRaw(), count, out)
  } catch (error) {
    throw isZlibError(error) ? damaged(entry, 'its compressed bytes are damaged', error) : error
  }
}

/** Not a stream on the file's descriptor: one that fails closes it, and it is not its own. */
function* compressedBytes({ readRange }: PlainFile, entry: ZipEntry): Generator<Uint8Array> {
  const end = entry.dataOffset + entry.compressedBytes
  for (let at = entry.dataOffset; at < end; at += READ_BYTES) {
    yield readRange(at, Math.min(READ_BYTES, end - at))
  }
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
}

function damaged(entry: ZipEntry, why: string, cause?: unknown): Error {
  return scanErrors.bundle_archive_invalid(`the entry '${entry.name}' cannot be read: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Lets bytes through while they stay within the claim and the budget, and checks their sum. */
class EntryCheck extends Transform {
  readonly #entry: ZipEntry
  readonly #budget: Budget
  #bytes = 0
  #crc32 = 0

  constructor(entry: ZipEntry, budget: Budget) {
    super()
    this.#entry = entry
    this.#budget = budget
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    try {
      if (this.#bytes === 0) checkNoArchive(this.#entry, chunk)
    } catch (error) {
      done(error as Error)
      return
    }
    this.#bytes += chunk.length
    this.#budget.left -= chunk.length
    if (this.#bytes > this.#entry.inflatedBytes) {
      done(damaged(this.#entry, 'it is longer than the directory says'))
    } else if (this.#budget.left < 0) {
      done(scanErrors.bundle_inflation_refused(`at '${this.#entry.name}'; send it uncompressed`))
    } else {
      this.#crc32 = crc32(chunk, this.#crc32)
      done(null, chunk)
    }
  }

  override _flush(done: TransformCallback): void {
    const isWhole = this.#bytes === this.#entry.inflatedBytes && this.#crc32 === this.#entry.crc32
    done(isWhole ? null : damaged(this.#entry, 'its length or checksum is wrong'))
  }
}
