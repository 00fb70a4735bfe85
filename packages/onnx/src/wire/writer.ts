// Protobuf's wire format in two passes of the same code: the first measures every message (its
// length stands before it), the second writes. So the output is allocated once, at its exact size,
// and large payloads are handed out as the views they are.

/** Bytes that are fetched when they are written, so that they need not be in memory together. */
export interface LaterBytes {
  readonly length: number
  /** The bytes from `start` to `end`, both within `length`. */
  readonly read: (start: number, end: number) => Uint8Array
}

export type Chunk = Uint8Array | LaterBytes

/** Bytes that are in memory for a chunk that was fetched. */
const PIECE_BYTES = 16 << 20

/** The bytes of chunks in their order, what is to be fetched in pieces. */
export function* piecesOf(chunks: Iterable<Chunk>): Generator<Uint8Array> {
  for (const chunk of chunks) {
    if (chunk instanceof Uint8Array) {
      yield chunk
      continue
    }
    for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
      yield chunk.read(start, Math.min(chunk.length, start + PIECE_BYTES))
    }
  }
}

/** What message encoders write to. Fields are written in the order of the calls. */
export interface WireWriter {
  /** External data is written as if it stood in the model. */
  readonly inlinesExternalData: boolean
  /** int32, int64 or an enum; negative numbers take ten bytes. */
  readonly integer: (field: number, value: number | bigint) => void
  readonly float: (field: number, value: number) => void
  readonly text: (field: number, value: string) => void
  readonly payload: (field: number, value: Chunk) => void
  readonly message: (field: number, write: (writer: WireWriter) => void) => void
}

/** Payloads from this size on, and all that are fetched, are chunks of their own. */
const OWN_CHUNK_BYTES = 4096

/**
 * The encoded message as chunks: what joins them is freshly written, large payloads are the given
 * views. Concatenated they are the message.
 */
export function encodeChunks(
  write: (writer: WireWriter) => void,
  { inlinesExternalData = false } = {},
): readonly Chunk[] {
  const measure = new MeasuringWriter(inlinesExternalData)
  write(measure)
  const emit = new EmittingWriter(measure, inlinesExternalData)
  write(emit)
  return emit.finish()
}

class MeasuringWriter implements WireWriter {
  readonly inlinesExternalData: boolean
  /** Lengths of the messages, in the order in which they begin. */
  readonly sizes: number[] = []
  /** Bytes of everything that is not a chunk of its own. */
  small = 0
  private total = 0

  constructor(inlinesExternalData: boolean) {
    this.inlinesExternalData = inlinesExternalData
  }

  integer(field: number, value: number | bigint): void {
    this.add(tagSize(field) + integerSize(value))
  }

  float(field: number): void {
    this.add(tagSize(field) + 4)
  }

  text(field: number, value: string): void {
    const length = utf8Length(value)
    this.add(tagSize(field) + varintSize(length) + length)
  }

  payload(field: number, value: Chunk): void {
    this.add(tagSize(field) + varintSize(value.length))
    if (isSmall(value)) this.small += value.length
    this.total += value.length
  }

  message(field: number, write: (writer: WireWriter) => void): void {
    const slot = this.sizes.length
    this.sizes.push(0)
    const before = this.total
    write(this)
    const length = this.total - before
    this.sizes[slot] = length
    this.add(tagSize(field) + varintSize(length))
  }

  private add(bytes: number): void {
    this.small += bytes
    this.total += bytes
  }
}

class EmittingWriter implements WireWriter {
  readonly inlinesExternalData: boolean
  private readonly sizes: readonly number[]
  private readonly buffer: Uint8Array
  private readonly view: DataView
  private readonly chunks: Chunk[] = []
  private position = 0
  /** Start of what is written but not yet in a chunk. */
  private pending = 0
  private nextSize = 0

  constructor({ small, sizes }: MeasuringWriter, inlinesExternalData: boolean) {
    this.inlinesExternalData = inlinesExternalData
    this.sizes = sizes
    this.buffer = new Uint8Array(small)
    this.view = new DataView(this.buffer.buffer)
  }

  integer(field: number, value: number | bigint): void {
    this.varint(field * 8)
    if (typeof value === 'number' && value >= 0) this.varint(value)
    else this.bigVarint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): void {
    this.varint(field * 8 + 5)
    this.view.setFloat32(this.position, value, true)
    this.position += 4
  }

  text(field: number, value: string): void {
    this.varint(field * 8 + 2)
    this.varint(utf8Length(value))
    this.position += utf8.encodeInto(value, this.buffer.subarray(this.position)).written
  }

  payload(field: number, value: Chunk): void {
    this.varint(field * 8 + 2)
    this.varint(value.length)
    if (isSmall(value)) {
      this.buffer.set(value, this.position)
      this.position += value.length
      return
    }
    this.flush()
    this.chunks.push(value)
  }

  message(field: number, write: (writer: WireWriter) => void): void {
    this.varint(field * 8 + 2)
    this.varint(this.sizes[this.nextSize++]!)
    write(this)
  }

  finish(): readonly Chunk[] {
    this.flush()
    return this.chunks
  }

  private flush(): void {
    if (this.pending === this.position) return
    this.chunks.push(this.buffer.subarray(this.pending, this.position))
    this.pending = this.position
  }

  private varint(value: number): void {
    let rest = value
    while (rest > 127) {
      this.buffer[this.position++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.buffer[this.position++] = rest
  }

  private bigVarint(value: bigint): void {
    let rest = value
    while (rest > 127n) {
      this.buffer[this.position++] = Number(rest & 127n) + 128
      rest >>= 7n
    }
    this.buffer[this.position++] = Number(rest)
  }
}

function isSmall(value: Chunk): value is Uint8Array {
  return value instanceof Uint8Array && value.length < OWN_CHUNK_BYTES
}

const utf8 = new TextEncoder()

function utf8Length(text: string): number {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return utf8.encode(text).length
  }
  return text.length
}

function tagSize(field: number): number {
  return field < 16 ? 1 : 2
}

function integerSize(value: number | bigint): number {
  if (value < 0) return 10
  if (typeof value === 'number') return varintSize(value)
  let size = 1
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) size++
  return size
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++
  return size
}
