// The few Python literals that a .npy header is made of. Nothing is evaluated; whatever is not one
// of them makes the whole text unreadable.

export type Literal =
  | string
  | number
  | boolean
  | { readonly list: readonly Literal[] }
  | { readonly dict: ReadonlyMap<string, Literal> }

const TOKEN = /\s*(?:(\d+)L?(?![\w.])|'([^'\\]*)'|"([^"\\]*)"|(True|False)\b|([()[\]{},:]))/y
const MAX_DEPTH = 4

/** Parses strings without escapes, natural numbers, True, False, tuples, lists, dictionaries. */
export function parseLiteral(text: string): Literal | undefined {
  const tokens = tokenize(text)
  if (tokens === undefined) return undefined
  const cursor: Cursor = { tokens, at: 0 }
  const value = parseValue(cursor, 0)
  return cursor.at === tokens.length ? value : undefined
}

type Token = { readonly value: string | number | boolean } | { readonly mark: string }

interface Cursor {
  readonly tokens: readonly Token[]
  at: number
}

function tokenize(text: string): Token[] | undefined {
  const trimmed = text.trimEnd()
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < trimmed.length) {
    const match = TOKEN.exec(trimmed)
    if (match === null) return undefined
    const [, digits, single, double, truth, mark] = match
    if (mark !== undefined) tokens.push({ mark })
    else if (digits !== undefined) tokens.push({ value: Number(digits) })
    else if (truth !== undefined) tokens.push({ value: truth === 'True' })
    else tokens.push({ value: single ?? double ?? '' })
  }
  return tokens
}

function parseValue(cursor: Cursor, depth: number): Literal | undefined {
  const token = cursor.tokens[cursor.at++]
  if (token === undefined || depth > MAX_DEPTH) return undefined
  if ('value' in token) return token.value
  if (token.mark === '{') return parseDict(cursor, depth)
  if (token.mark === '(') return parseList(cursor, ')', depth)
  if (token.mark === '[') return parseList(cursor, ']', depth)
  return undefined
}

function parseList(cursor: Cursor, close: string, depth: number): Literal | undefined {
  const list: Literal[] = []
  while (!takeMark(cursor, close)) {
    const value = parseValue(cursor, depth + 1)
    if (value === undefined) return undefined
    list.push(value)
    if (!takeMark(cursor, ',') && !seesMark(cursor, close)) return undefined
  }
  return { list }
}

function parseDict(cursor: Cursor, depth: number): Literal | undefined {
  const dict = new Map<string, Literal>()
  while (!takeMark(cursor, '}')) {
    const key = parseValue(cursor, depth + 1)
    if (typeof key !== 'string' || dict.has(key) || !takeMark(cursor, ':')) return undefined
    const value = parseValue(cursor, depth + 1)
    if (value === undefined) return undefined
    dict.set(key, value)
    if (!takeMark(cursor, ',') && !seesMark(cursor, '}')) return undefined
  }
  return { dict }
}

function seesMark(cursor: Cursor, mark: string): boolean {
  const token = cursor.tokens[cursor.at]
  return token !== undefined && 'mark' in token && token.mark === mark
}

function takeMark(cursor: Cursor, mark: string): boolean {
  const seen = seesMark(cursor, mark)
  if (seen) cursor.at++
  return seen
}
