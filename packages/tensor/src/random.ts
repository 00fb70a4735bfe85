/** A reproducible stream of random numbers: same seed, same stream, on every machine. */
export interface Random {
  /** Uniform in [0, 2^32). */
  readonly uint32: () => number
  /** Uniform in [0, 1), 53 bits. */
  readonly uniform: () => number
  /** Uniform integer in [0, limit), without modulo bias; `limit` at most 2^32. */
  readonly below: (limit: number) => number
  /** Standard normal (Box–Muller). */
  readonly normal: () => number
  /** A random order of 0 … length-1 (Fisher–Yates). */
  readonly permutation: (length: number) => Uint32Array
}

/**
 * xoshiro128** 1.1 (Blackman and Vigna, public domain), its state filled by splitmix32 from the
 * seed, an integer of which the lower 64 bits count.
 */
export function createRandom(seed: number): Random {
  const uint32 = xoshiro128(seed)
  const uniform = () => ((uint32() >>> 5) * 67108864 + (uint32() >>> 6)) / 9007199254740992
  const below = (limit: number) => {
    if (!Number.isInteger(limit) || limit < 1 || limit > 4294967296) {
      throw new RangeError(`limit ${limit} is not in 1 … 2^32`)
    }
    const rejected = 4294967296 % limit
    for (;;) {
      const x = uint32()
      if (x >= rejected) return x % limit
    }
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const permutation = (length: number) => {
    const order = Uint32Array.from({ length }, (_, i) => i)
    for (let i = length - 1; i > 0; i--) {
      const j = below(i + 1)
      const swapped = order[i]!
      order[i] = order[j]!
      order[j] = swapped
    }
    return order
  }
  return { uint32, uniform, below, normal, permutation }
}

function xoshiro128(seed: number): () => number {
  const fill = splitmix32(seed)
  let a = fill()
  let b = fill()
  let c = fill()
  let d = fill()
  return () => {
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = (d << 11) | (d >>> 21)
    return result
  }
}

function splitmix32(seed: number): () => number {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed ${seed} is not an integer`)
  const low = seed >>> 0
  const high = Math.floor(seed / 4294967296) | 0
  let state = (low ^ Math.imul(high, 0x85ebca6b)) | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}
