// Workers killed at random while growing jobs run over HTTP: is anything lost, is anything done twice?
//
//   npm run build && node bench/kill-growing.mjs [--kills 200] [--workers 4] [--customers 6]
//     [--every 900] [--aim-every 4] [--compared 4]
//
// --every is the mean time between two kills, in milliseconds; of --aim-every kills one is aimed at a
// transaction in which a plan grows. Exit code 1: something does not hold.
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

import { runnerImport } from 'vite'

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    workers: { type: 'string', default: '4' },
    customers: { type: 'string', default: '6' },
    every: { type: 'string', default: '900' },
    'aim-every': { type: 'string', default: '4' },
    compared: { type: 'string', default: '4' },
  },
})

// What the test of a few kills runs is TypeScript.
const { module } = await runnerImport(
  fileURLToPath(new URL('../tests/e2e/harness/kill-run.ts', import.meta.url)),
)
const list = (counts) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')

const { kills, jobs, seconds, counts, compared, breaches } = await module.runKills({
  kills: Number(options.kills),
  workers: Number(options.workers),
  customers: Number(options.customers),
  everyMs: Number(options.every),
  aimEvery: Number(options['aim-every']),
  compared: Number(options.compared),
  onKill: ({ done }) => {
    if (done % 20 === 0) console.log(`${done} kills`, Math.round(performance.now() / 1000))
  },
})
console.log(`kills: ${kills.done}, ${kills.inGrowth} of them while a plan grew`)
console.log(`until the last job had ended: ${seconds.toFixed(0)} s`)
console.log(`jobs: ${jobs}, of ${counts.rounds} rounds and ${counts.stages} stages`)
console.log(`stages from the cache: ${counts.fromCache}; attempts: ${list(counts.attempts)}`)
console.log(`attempts lost with their worker: ${list(counts.lost)}`)
console.log(`jobs run again in peace, for the same models: ${compared}`)
console.log(breaches.length === 0 ? 'everything holds' : `DOES NOT HOLD:\n${breaches.join('\n')}`)
process.exit(breaches.length === 0 ? 0 : 1)
