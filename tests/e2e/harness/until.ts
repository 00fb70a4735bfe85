import { setTimeout as sleep } from 'node:timers/promises'

export interface Limits {
  readonly limitMs?: number
  readonly everyMs?: number
}

/** Asks again and again until there is an answer; after `limitMs` it throws what it waited for. */
export async function until<Value>(
  what: string,
  ask: () => Promise<Value | null | undefined | false> | Value | null | undefined | false,
  { limitMs = 60_000, everyMs = 10 }: Limits = {},
): Promise<Value> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== null && answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`)
    await sleep(everyMs)
  }
}
