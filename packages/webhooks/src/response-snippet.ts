/** Shortens what an endpoint answered to something safe to store and show. */
const MAX_SNIPPET_BYTES = 1_024

/**
 * Plain text of at most 1 kB in UTF-8: control characters, direction marks and terminal sequences
 * become spaces. Null when nothing readable is left.
 */
export function responseSnippet(body: Uint8Array): string | null {
  const text = new TextDecoder()
    .decode(body)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  if (text === '') return null
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_SNIPPET_BYTES) return text
  // A character cut in two decodes to U+FFFD at the end.
  return bytes
    .subarray(0, MAX_SNIPPET_BYTES)
    .toString()
    .replace(/\ufffd+$/, '')
}
