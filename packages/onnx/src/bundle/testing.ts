/** Writes zip archives for tests, hostile ones included: every header can be made to lie. */
import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipFile {
  readonly path: string
  readonly content: Uint8Array
  readonly stored?: boolean
  /** What the directory claims instead of the truth. */
  readonly claims?: { readonly inflatedBytes?: number; readonly crc32?: number }
  /** Unix file mode, in the upper half of the external attributes. */
  readonly mode?: number
  readonly encrypted?: boolean
  /** Put the entry over the one before it. */
  readonly overlaps?: boolean
}

export function zip(files: readonly ZipFile[]): Uint8Array {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  let previous = 0
  for (const file of files) {
    const data = file.stored ? Buffer.from(file.content) : deflateRawSync(file.content)
    const name = Buffer.from(file.path)
    const start = file.overlaps ? previous : offset
    directory.push(directoryRecord(file, data.length, start), name)
    previous = start
    if (file.overlaps) continue
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    parts.push(local, name, data)
    offset += 30 + name.length + data.length
  }
  const records = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(records.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, records, end])
}

function directoryRecord(file: ZipFile, compressedBytes: number, start: number): Buffer {
  const record = Buffer.alloc(46)
  record.writeUInt32LE(0x02014b50, 0)
  record.writeUInt8(3, 5)
  record.writeUInt16LE(file.encrypted ? 1 : 0, 8)
  record.writeUInt16LE(file.stored ? 0 : 8, 10)
  record.writeUInt32LE(file.claims?.crc32 ?? crc32(file.content), 16)
  record.writeUInt32LE(compressedBytes, 20)
  record.writeUInt32LE(file.claims?.inflatedBytes ?? file.content.length, 24)
  record.writeUInt16LE(Buffer.byteLength(file.path), 28)
  record.writeUInt32LE(((file.mode ?? 0o100644) << 16) >>> 0, 38)
  record.writeUInt32LE(start, 42)
  return record
}
