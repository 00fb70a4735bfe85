// Reading that does not know whether its source answers at once or later.

/** Asks for `length` bytes from `offset`, as often as it needs; each answer has exactly so many. */
export type Reading<Result> = Generator<
  { readonly offset: number; readonly length: number },
  Result,
  Uint8Array
>

/** Runs a reading on a source that answers at once. */
export function readNow<Result>(
  reading: Reading<Result>,
  read: (offset: number, length: number) => Uint8Array,
): Result {
  let step = reading.next()
  while (step.done !== true) step = reading.next(read(step.value.offset, step.value.length))
  return step.value
}

/** Runs a reading on a source that answers later. */
export async function readLater<Result>(
  reading: Reading<Result>,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<Result> {
  let step = reading.next()
  while (step.done !== true) step = reading.next(await read(step.value.offset, step.value.length))
  return step.value
}

/** One range, to look numbers up in. */
export function* readView(offset: number, length: number): Reading<DataView> {
  const bytes = yield { offset, length }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
