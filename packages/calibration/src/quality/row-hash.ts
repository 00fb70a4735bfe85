/**
 * A hash of 53 bits of so many bytes: two equal samples have one hash, two different ones as good as
 * never (with 2^16 samples, one chance in 2^22). Two multiplicative hashes of 32-bit words, after
 * MurmurHash3 (Appleby).
 */
export function hashBytes(bytes: Uint8Array): number {
  let a = 0x9747b28c ^ bytes.length
  let b = 0x5bd1e995 ^ bytes.length
  const mix = (word: number) => {
    a = Math.imul(a ^ Math.imul(word, 0xcc9e2d51), 0x1b873593)
    a = (a << 13) | (a >>> 19)
    b = Math.imul(b ^ word, 0x85ebca6b)
    b ^= b >>> 15
  }
  const whole = bytes.byteOffset % 4 === 0 ? bytes.length >> 2 : 0
  const words = new Int32Array(bytes.buffer, whole === 0 ? 0 : bytes.byteOffset, whole)
  for (let i = 0; i < words.length; i++) mix(words[i]!)
  for (let i = 4 * whole; i < bytes.length; i++) mix(bytes[i]!)
  a ^= a >>> 16
  b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  return (a >>> 0) * 2 ** 21 + ((b ^ (b >>> 16)) >>> 11)
}

/** Samples that were seen before, of the first so many; memory does not grow beyond that. */
export class SeenRows {
  private readonly hashes = new Set<number>()
  private repeated = 0
  private rows = 0

  add(hash: number): void {
    this.rows++
    if (this.hashes.has(hash)) this.repeated++
    else if (this.hashes.size < MOST_REMEMBERED) this.hashes.add(hash)
  }

  get duplicates(): number {
    return this.repeated
  }

  get allEqual(): boolean {
    return this.rows > 1 && this.hashes.size === 1
  }
}

const MOST_REMEMBERED = 2 ** 16
