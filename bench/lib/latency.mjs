// Latency of several models on the same feeds, in short turns of rotating order, so that other work
// on the machine and a processor that slows down disturb all alike.
import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { median } from './statistics.mjs'

const runtime = onnxRuntime()
const ROUNDS = 24
/** The first runs of a turn find the cache full of another model's weights, and do not count. */
const UNCOUNTED = 2

/**
 * One thread, the given feeds, `budgetMs` for all models together. For each path: p50 in ms, and the
 * p50 of every round.
 */
export async function latenciesOf(paths, { feeds, budgetMs }) {
  const sides = []
  for (const path of paths) {
    const session = await runtime.createSession({ path }, { intraOpThreads: 1 })
    sides.push({ session, times: [], rounds: [], warm: await warmUp(session, feeds) })
  }
  const total = sides.reduce((sum, { warm }) => sum + warm, 0)
  const runs = Math.max(3, Math.min(40, Math.floor(budgetMs / ROUNDS / total)))
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const { session, times, rounds } = sides[(round + turn) % sides.length]
      const counted = []
      for (let run = 0; run < runs + UNCOUNTED; run++) {
        const start = performance.now()
        await session.run(feeds)
        if (run >= UNCOUNTED) counted.push(performance.now() - start)
      }
      times.push(...counted)
      rounds[round] = median(counted)
    }
  }
  for (const { session } of sides) await session.release()
  return sides.map(({ times, rounds }) => ({ p50: median(times), rounds }))
}

async function warmUp(session, feeds) {
  const times = []
  for (let run = 0; run < 4; run++) {
    const start = performance.now()
    await session.run(feeds)
    times.push(performance.now() - start)
  }
  return median(times)
}
