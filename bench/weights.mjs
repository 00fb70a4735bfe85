// Weights of transformers in few bits: every algorithm of `quantize_weights` beside the peer's round to
// nearest (MatMulNBitsQuantizer of onnxruntime.quantization, which wants onnx_ir), on held-out data.
// bench/README.md holds a run.
//
//   npm run build
//   PYTHON=python3 node bench/weights.mjs [--fixtures folder] [--quick]
//
// The networks are those of bench/networks.mjs whose layers are MatMuls.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { JOB_SCRIPT, writeJobInputs } from './lib/job.mjs'
import { decisionsOf, firstFeeds, outputSqnr } from './lib/judge.mjs'
import { latenciesOf } from './lib/latency.mjs'
import { writeJobPlan } from './lib/plan.mjs'
import { runJson } from './lib/processes.mjs'
import { mean } from './lib/statistics.mjs'
import { NETWORKS } from './networks/index.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    fixtures: { type: 'string', default: process.env.PARE_BENCH_FIXTURES ?? '' },
  },
})
const { PYTHON: python } = process.env
const PEER_SCRIPT = fileURLToPath(new URL('./nbits_peer.py', import.meta.url))
const TRANSFORMERS = ['fashion-vit', 'ppocr-rec']
const BLOCK = 32
/** Samples that the distance to the float model's outputs is measured on. */
const SQNR_SAMPLES = 256

const OURS = [
  ...[8, 4, 2].map((bits) => ({ bits, algorithm: 'rtn' })),
  ...['hqq', 'gptq', 'awq'].flatMap((algorithm) => [4, 2].map((bits) => ({ bits, algorithm }))),
].map(({ bits, algorithm }) => ({
  label: `ours ${algorithm}, ${bits} bits`,
  bits,
  make: async ({ inputs, out }) => {
    const path = `${out}.plan.json`
    const step = { type: 'quantize_weights', bits, algorithm, block_size: BLOCK }
    writeJobPlan({ inputs, step, path })
    return runJson(process.execPath, [JOB_SCRIPT, path, out])
  },
}))

const PEER = [8, 4].flatMap((bits) =>
  ['--symmetric', '--asymmetric'].map((flag) => ({
    label: `peer rtn, ${bits} bits, ${flag.slice(2)}`,
    bits,
    make: ({ model, out }) => runJson(python, [PEER_SCRIPT, model, out, bits, BLOCK, flag]),
  })),
)

console.log(`${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.version}\n`)
for (const network of NETWORKS.filter(({ name }) => TRANSFORMERS.includes(name))) {
  if (network.needsFixtures && options.fixtures === '') {
    console.log(`${network.name}: left out, there is no folder of fixtures\n`)
  } else await measure(network)
}

async function measure(network) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-weights-'))
  try {
    const made = await network.make({ folder, quick: options.quick, fixtures: options.fixtures })
    const { path: inputs } = await writeJobInputs({ ...made, folder })
    const rows = [{ label: 'float', path: made.model, made: {} }]
    for (const scheme of [...OURS, ...(python ? PEER : [])].toSorted((a, b) => b.bits - a.bits)) {
      const path = join(folder, `${rows.length}.onnx`)
      rows.push({ ...scheme, path, made: await scheme.make({ ...made, inputs, out: path }) })
    }
    await judge(rows, network, made)
    print(rows, network)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function judge(rows, network, made) {
  const { validation } = made
  const batchSize = made.fixedBatch ?? 50
  const decide = (outputs, row) => network.decide(outputs, row, made)
  const usable = rows.filter((row) => row.made.error === undefined)
  const reference = await decisionsOf(made.model, { validation, batchSize, decide })
  for (const row of usable) {
    const decided = await decisionsOf(row.path, { validation, batchSize, decide })
    row.score = mean(
      decided.map((decision, i) =>
        network.score(decision, { reference: reference[i], label: made.labels?.[i], made }),
      ),
    )
    row.sqnr = await outputSqnr(made.model, row.path, {
      validation,
      batchSize,
      samples: SQNR_SAMPLES,
    })
  }
  const feeds = await firstFeeds(made.model, validation)
  const budgetMs = options.quick ? 4000 : 8000
  const latencies = await latenciesOf(
    usable.map(({ path }) => path),
    { feeds, budgetMs },
  )
  usable.forEach((row, i) => {
    row.p50 = latencies[i].p50
    row.speed = latencies[0].p50 / latencies[i].p50
  })
}

function print(rows, { name, kind, metric }) {
  const size = (path) => statSync(path).size
  console.log(`### ${name}: ${kind}\n`)
  console.log(`| | ${metric} % | output SQNR, dB | size | p50, ms | speed | seconds |`)
  console.log('|---|---|---|---|---|---|---|')
  for (const { label, path, made, score, sqnr, p50, speed } of rows) {
    const figures =
      made.error === undefined
        ? [
            (100 * score).toFixed(2),
            sqnr === Infinity ? '–' : sqnr.toFixed(1),
            (size(path) / size(rows[0].path)).toFixed(3),
            p50.toFixed(3),
            `${speed.toFixed(2)}x`,
            made.wall === undefined ? '' : made.wall.toFixed(2),
          ]
        : [`failed: ${made.error.slice(0, 160)}`, '', '', '', '', '']
    console.log(`| ${[label, ...figures].join(' | ')} |`)
  }
  console.log()
}
