import { errors } from '../errors.js'

export interface StreamCounter {
  /** @throws too_many_streams */
  readonly run: <Result>(key: string, stream: () => Promise<Result>) => Promise<Result>
}

/** Limits how many streams one API key holds open in this process. */
export function createStreamCounter(max: number): StreamCounter {
  const open = new Map<string, number>()
  return {
    run: async (key, stream) => {
      const count = open.get(key) ?? 0
      if (count >= max) {
        throw errors.too_many_streams(`a key may hold ${max} event streams: close others first`)
      }
      open.set(key, count + 1)
      try {
        return await stream()
      } finally {
        const left = (open.get(key) ?? 1) - 1
        if (left === 0) open.delete(key)
        else open.set(key, left)
      }
    },
  }
}
