// Numbers that grow batch by batch: joining takes no copy, whoever needs all of them walks them once.

export type Pieces = Float64Array | Joined

interface Joined {
  readonly first: Pieces
  readonly second: Pieces
}

export function join(first: Pieces, second: Pieces): Pieces {
  return { first, second }
}

/** The arrays that were joined, in order. */
export function* piecesOf(pieces: Pieces): Generator<Float64Array, void, undefined> {
  // As many joins deep as there are batches: too deep to recurse.
  const waiting: Pieces[] = [pieces]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next instanceof Float64Array) yield next
    else waiting.push(next.second, next.first)
  }
}
