/**
 * Reads protobuf's wire format from a ByteSource through a window, moving only forward inside a
 * message and stepping over payloads without reading them. It knows nothing of ONNX.
 * Format: https://protobuf.dev/programming-guides/encoding/
 */
import type { ByteSource } from './byte-source.js'

const WINDOW_BYTES = 64 * 1024
const MAX_VARINT_BYTES = 10

export type WireFault =
  /** A payload or integer goes on beyond the message around it, or beyond the file. */
  'overrun' | 'varint_too_long' | 'varint_not_minimal' | 'field_number_zero'

/** A fault of the encoding; the scanner turns it into a coded error with a place. */
export class WireError extends Error {
  readonly fault: WireFault
  readonly offset: number

  constructor(fault: WireFault, offset: number) {
    super(`${fault} at byte ${offset}`)
    this.name = 'WireError'
    this.fault = fault
    this.offset = offset
  }
}

export interface ByteRange {
  readonly start: number
  readonly end: number
}

export class WireReader {
  readonly size: number
  position = 0
  /** Bytes fetched from the source so far: together with the fields, the work done. */
  bytesFetched = 0
  readonly #source: ByteSource
  #window: Uint8Array = new Uint8Array(0)
  #windowStart = 0
  // The last varint in three pieces of 28, 28 and 8 bits, so that no piece loses precision.
  #low = 0
  #middle = 0
  #high = 0

  constructor(source: ByteSource) {
    this.#source = source
    this.size = source.size
  }

  /** Reads a varint that must end before `end`. */
  readVarint(end: number): void {
    const start = this.position
    this.#low = this.#middle = this.#high = 0
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      const byte = this.#byte(end)
      this.#place(byte & 0x7f, count)
      if (byte < 0x80) {
        if (byte === 0 && count > 0) throw new WireError('varint_not_minimal', start)
        // The tenth byte holds bit 63 only.
        if (count === MAX_VARINT_BYTES - 1 && byte > 1)
          throw new WireError('varint_too_long', start)
        return
      }
    }
    throw new WireError('varint_too_long', start)
  }

  /** The last varint as a number; exact below 2^53, larger than any file above. */
  unsigned(): number {
    return this.#low + this.#middle * 2 ** 28 + this.#high * 2 ** 56
  }

  /** The last varint as a signed 64-bit integer. */
  int64(): bigint {
    return BigInt.asIntN(
      64,
      BigInt(this.#low) | (BigInt(this.#middle) << 28n) | (BigInt(this.#high) << 56n),
    )
  }

  /** Reads a length prefix and returns the range of the payload; the position is its start. */
  readLength(end: number): ByteRange {
    const at = this.position
    this.readVarint(end)
    const length = this.unsigned()
    const stop = this.position + length
    if (stop > end) throw new WireError('overrun', at)
    return { start: this.position, end: stop }
  }

  /** The bytes of a range, valid until the next read; without a copy if the window holds them. */
  view(range: ByteRange): Uint8Array {
    const start = range.start - this.#windowStart
    const end = range.end - this.#windowStart
    const isInside = start >= 0 && end <= this.#window.length
    return isInside ? this.#window.subarray(start, end) : this.copy(range)
  }

  /** Copies a range; the caller has checked its length against a limit. */
  copy(range: ByteRange): Uint8Array {
    const out = new Uint8Array(range.end - range.start)
    for (let filled = 0; filled < out.length;) {
      const chunk = this.#chunk(range.start + filled, range.end)
      out.set(chunk, filled)
      filled += chunk.length
    }
    return out
  }

  /** Counts the varints of a packed field without building their values. */
  countVarints(range: ByteRange): number {
    let count = 0
    // Bytes so far of a varint that has not ended yet.
    let open = 0
    for (let at = range.start; at < range.end;) {
      const chunk = this.#chunk(at, range.end)
      for (let index = 0; index < chunk.length; index++) {
        if (chunk[index]! < 0x80) {
          count += 1
          open = 0
        } else if (++open === MAX_VARINT_BYTES) throw new WireError('varint_too_long', at + index)
      }
      at += chunk.length
    }
    if (open !== 0) throw new WireError('overrun', range.end)
    return count
  }

  #place(bits: number, count: number): void {
    if (count < 4) this.#low += bits * 2 ** (7 * count)
    else if (count < 8) this.#middle += bits * 2 ** (7 * (count - 4))
    else this.#high += bits * 2 ** (7 * (count - 8))
  }

  #byte(end: number): number {
    if (this.position >= end) throw new WireError('overrun', this.position)
    const inside = this.position - this.#windowStart
    const byte = inside >= 0 ? this.#window[inside] : undefined
    if (byte === undefined) {
      this.#fetch(this.position)
      return this.#byte(end)
    }
    this.position += 1
    return byte
  }

  /** The part of the range from `at` that the window holds, at least one byte. */
  #chunk(at: number, end: number): Uint8Array {
    const inside = at - this.#windowStart
    if (inside < 0 || inside >= this.#window.length) {
      this.#fetch(at)
      return this.#chunk(at, end)
    }
    return this.#window.subarray(inside, Math.min(this.#window.length, inside + end - at))
  }

  #fetch(offset: number): void {
    this.#window = this.#source.read(offset, Math.min(WINDOW_BYTES, this.size - offset))
    if (this.#window.length === 0) throw new WireError('overrun', offset)
    this.#windowStart = offset
    this.bytesFetched += this.#window.length
  }
}
