// A few kills of what bench/kill-growing.mjs does two hundred times.
import { expect, it } from 'vitest'

import { runKills } from './harness/kill-run.js'

it('growing jobs lose nothing and do nothing twice when their workers are killed', async () => {
  const run = await runKills({
    ...{ kills: 8, everyMs: 500, aimEvery: 3 },
    ...{ workers: 2, customers: 2, compared: 1 },
  })
  expect(run.breaches).toEqual([])
  expect(run.kills.done).toBe(8)
  expect(run.kills.inGrowth).toBeGreaterThan(0)
  expect(run.counts.attempts['lost']).toBeGreaterThan(0)
  expect(run.compared).toBe(1)
}, 600_000)
