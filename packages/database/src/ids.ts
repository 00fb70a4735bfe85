import { randomBytes } from 'node:crypto'

export const ID_PREFIXES = {
  project: 'prj',
  apiKey: 'key',
  model: 'mdl',
  dataset: 'dst',
  job: 'job',
  stage: 'stg',
  artifact: 'art',
  webhookEndpoint: 'whe',
  webhookMessage: 'msg',
  webhookDelivery: 'dlv',
} as const

export type IdKind = keyof typeof ID_PREFIXES

// Crockford's alphabet, lower case: no i, l, o, u.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_CHARS = 10
const RANDOM_BYTES = 10

/**
 * A new id: the prefix of its kind, then a lower-case ULID (48 bits of milliseconds, 80 random
 * bits), so ids sort by time and cannot be guessed.
 */
export function newId(kind: IdKind, timeMs = Date.now()): string {
  let time = ''
  for (let rest = timeMs, i = 0; i < TIME_CHARS; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time
  }
  return `${ID_PREFIXES[kind]}_${time}${encode(randomBytes(RANDOM_BYTES))}`
}

/** Five bytes are exactly eight characters of five bits. */
function encode(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET.charAt((held >> bits) & 31)
    }
    held &= (1 << bits) - 1
  }
  return text
}
