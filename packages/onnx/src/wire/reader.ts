// Protobuf's wire format over bytes in memory. Length-delimited payloads are views, never copies.
// The reader keeps the path of messages it is inside, so that a fault names its place for free.
// Format: https://protobuf.dev/programming-guides/encoding/
import { codecErrors } from '../errors.js'
import { scanErrors } from '../scan/errors.js'

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
const WIRE_NAMES = ['varint', 'fixed64', 'bytes', 'group', 'group', 'fixed32', 'unknown', 'unknown']

/** Graphs inside graphs and types inside types beyond this would exhaust the stack. */
const MAX_DEPTH = 400

export interface Range {
  readonly start: number
  readonly end: number
}

export interface WireReaderOptions {
  readonly dropUnknown?: boolean
  /** Whether an initializer that a graph has twice counts once. */
  readonly allowsRepeats?: boolean
}

export class WireReader {
  readonly bytes: Uint8Array
  /** Number of the field that `next` found. */
  field = 0
  readonly allowsRepeats: boolean
  private readonly view: DataView
  private readonly dropUnknown: boolean
  private wire = 0
  private position = 0
  private end: number
  private readonly labels: string[] = []
  private readonly indices: number[] = []
  // The last varint, low and high half, each below 2^32.
  private low = 0
  private high = 0

  constructor(bytes: Uint8Array, options: WireReaderOptions = {}) {
    // A Buffer's views are Buffers: take the plain class, one shape for everyone behind.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = bytes.length
    this.dropUnknown = options.dropUnknown ?? false
    this.allowsRepeats = options.allowsRepeats ?? false
  }

  /** Moves to the next field of the message; false at its end. */
  next(): boolean {
    if (this.position >= this.end) return false
    this.varint()
    this.field = this.low >>> 3
    this.wire = this.low & 7
    if (this.high !== 0 || this.field === 0 || this.field > 536870911) {
      throw scanErrors.protobuf_malformed(`${this.place()}: the bytes are not a protobuf field`)
    }
    return true
  }

  // The value of the field, by its type in onnx.proto.

  /** int64, exact. */
  int64(): bigint {
    this.expect(VARINT)
    this.varint()
    return this.lastBigint()
  }

  /** An int64 that is a size or a version. Throws `integer_too_large` above 2^53 - 1. */
  safeInt64(): number {
    this.expect(VARINT)
    this.varint()
    return this.lastSafe()
  }

  /** int32 or an enum. */
  int32(): number {
    this.expect(VARINT)
    this.varint()
    return this.low | 0
  }

  float(): number {
    this.expect(FIXED32)
    const at = this.advance(4)
    return this.view.getFloat32(at, true)
  }

  payload(): Uint8Array {
    const { start, end } = this.range()
    return this.bytes.subarray(start, end)
  }

  text(): string {
    const { start, end } = this.range()
    return this.decodeText(start, end)
  }

  message<T>(label: string, index: number, read: (reader: WireReader) => T): T {
    const { start, end } = this.range()
    if (this.labels.length >= MAX_DEPTH) {
      throw scanErrors.model_too_deep(`${this.place()}: more than ${MAX_DEPTH} messages deep`)
    }
    const outerEnd = this.end
    this.labels.push(label)
    this.indices.push(index)
    this.position = start
    this.end = end
    const value = read(this)
    this.end = outerEnd
    this.position = end
    this.labels.pop()
    this.indices.pop()
    return value
  }

  // Repeated numbers, which may come packed or one by one.

  int64s(into: bigint[]): void {
    this.eachVarint(() => into.push(this.lastBigint()))
  }

  safeInt64s(into: number[]): void {
    this.eachVarint(() => into.push(this.lastSafe()))
  }

  floats(into: number[]): void {
    const { start, end } = this.fixed(4)
    for (let at = start; at < end; at += 4) into.push(this.view.getFloat32(at, true))
  }

  /** Where the numbers of a repeated varint field lie, packed or single. */
  varints(): Range {
    if (this.wire === BYTES) return this.range()
    this.expect(VARINT)
    const start = this.position
    this.varint()
    return { start, end: this.position }
  }

  /** Where the numbers of a repeated fixed-width field lie, packed or single. */
  fixed(width: 4 | 8): Range {
    if (this.wire === BYTES) {
      const range = this.range()
      if ((range.end - range.start) % width !== 0) {
        throw scanErrors.protobuf_malformed(
          `${this.place()}: a list of ${width}-byte numbers ends inside a number`,
        )
      }
      return range
    }
    this.expect(width === 4 ? FIXED32 : FIXED64)
    const start = this.advance(width)
    return { start, end: this.position }
  }

  /** A field that this version of onnx.proto does not know. */
  unknown(): void {
    if (!this.dropUnknown) {
      throw scanErrors.unknown_field(
        `${this.place()}: field number ${this.field} is not in onnx.proto`,
      )
    }
    this.skip()
  }

  /** Steps over the field. */
  skip(): void {
    if (this.wire === VARINT) this.varint()
    else if (this.wire === FIXED64) this.advance(8)
    else if (this.wire === FIXED32) this.advance(4)
    else if (this.wire === BYTES) this.range()
    else throw scanErrors.wire_type_unsupported(`${this.place()}: groups are not supported`)
  }

  /** The messages around the position: `graph.node[3].attribute[0]`. */
  place(): string {
    const path = this.labels.map((label, depth) => {
      const index = this.indices[depth]!
      return index < 0 ? label : `${label}[${index}]`
    })
    return path.length === 0 ? 'model' : path.join('.')
  }

  private expect(wire: number): void {
    if (this.wire === wire) return
    throw scanErrors.wire_type_mismatch(
      `${this.place()}: field ${this.field} is encoded as ${WIRE_NAMES[this.wire]}, not ${WIRE_NAMES[wire]}`,
    )
  }

  private range(): Range {
    this.expect(BYTES)
    this.varint()
    const length = this.high * 4294967296 + this.low
    const start = this.advance(length)
    return { start, end: start + length }
  }

  private advance(length: number): number {
    const start = this.position
    if (length > this.end - start) throw this.cut()
    this.position = start + length
    return start
  }

  private cut(): Error {
    return scanErrors.model_truncated(
      `${this.place()}: field ${this.field} goes on beyond byte ${this.end}, where its message ends`,
      { details: { place: this.place(), offset: this.position } },
    )
  }

  private eachVarint(visit: () => void): void {
    if (this.wire !== BYTES) {
      this.expect(VARINT)
      this.varint()
      visit()
      return
    }
    const { start, end } = this.range()
    const outerEnd = this.end
    this.position = start
    this.end = end
    while (this.position < end) {
      this.varint()
      visit()
    }
    this.end = outerEnd
  }

  private lastBigint(): bigint {
    if (this.high === 0) return BigInt(this.low)
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low))
  }

  private lastSafe(): number {
    const high = this.high | 0
    const value = high * 4294967296 + this.low
    if (!Number.isSafeInteger(value)) {
      throw codecErrors.integer_too_large(
        `${this.place()}: field ${this.field} holds ${this.lastBigint().toString()}`,
      )
    }
    return value
  }

  private varint(): void {
    const { bytes, end } = this
    let at = this.position
    let low = 0
    let high = 0
    for (let shift = 0; ; shift += 7) {
      if (at >= end) throw this.cut()
      const byte = bytes[at++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) break
      if (shift === 63) {
        throw scanErrors.varint_invalid(`${this.place()}: an integer takes more than ten bytes`)
      }
    }
    this.position = at
    this.low = low >>> 0
    this.high = high >>> 0
  }

  private decodeText(start: number, end: number): string {
    if (end - start > 64) return this.decodeUtf8(start, end)
    let text = ''
    for (let at = start; at < end; at++) {
      const byte = this.bytes[at]!
      if (byte > 0x7f) return this.decodeUtf8(start, end)
      text += String.fromCharCode(byte)
    }
    return text
  }

  private decodeUtf8(start: number, end: number): string {
    try {
      return utf8.decode(this.bytes.subarray(start, end))
    } catch (cause) {
      throw scanErrors.invalid_text(`${this.place()}: field ${this.field} is not valid UTF-8`, {
        cause,
      })
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
