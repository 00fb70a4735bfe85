// Each calibration method on the same model and data: accuracy of the result, wall and processor time
// and peak memory of a fresh process that prepares, calibrates, quantizes and reads back. The peer is
// onnxruntime.quantization.quantize_static with its three methods, per channel. Runs of both sides
// alternate, so that other work on the machine disturbs both alike; ratios are of their medians.
//
//   npm run build
//   PYTHON=python3 node bench/calibrators.mjs model.onnx calibration.npz validation.npz
//
// Without arguments: the model and data of examples/. The peer gets batches that divide the samples:
// it stops with an error at a shorter last batch.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import {
  calibrate,
  calibrationBatchSize,
  STATISTICS_OF_METHOD,
  withRangesOf,
} from '../packages/calibration/dist/index.js'
import { normalizeDataset, openDataset } from '../packages/datasets/dist/index.js'
import { createFile, openFile } from '../packages/datasets/dist/node.js'
import { onnxRuntime } from '../packages/inference/dist/onnxruntime.js'
import { decodeModel, encodeModel } from '../packages/onnx/dist/index.js'
import { prepareModel } from '../packages/passes/dist/index.js'
import { observationPoints, quantizeVerified } from '../packages/quantization/dist/index.js'

const RUNS = Number(process.env.RUNS ?? 3)
const THREADS = 1
/** Which of the peer's methods ours are compared with; mse and auto have no counterpart. */
const PEER_OF = {
  minmax: 'MinMax',
  moving_average: 'MinMax',
  percentile: 'Percentile',
  entropy: 'Entropy',
}
const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url))
const runtime = onnxRuntime()

const args = process.argv.slice(2)
if (args[0] === '--ours') console.log(JSON.stringify(await ours(...args.slice(1))))
else await main(args)

async function main([
  model = join(EXAMPLES, 'fashion-resnet.onnx'),
  calibration = join(EXAMPLES, 'fashion-calibration.npz'),
  validation = join(EXAMPLES, 'fashion-validation.npz'),
]) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-calibrators-'))
  try {
    const data = await openNormalized(calibration, join(folder, 'calibration.npz'))
    const validationData = await openNormalized(validation, join(folder, 'validation.npz'))
    const { feeds } = await data.head(1)
    const input = Object.keys(feeds)[0]
    console.log(`${basename(model)}, ${data.samples} samples`)
    const row = async (label, path, figures) => {
      const top1 = (await accuracy(path, validationData)) * 100
      console.log(`  ${label.padEnd(22)} top1 ${top1.toFixed(2)} % ${figures}`)
    }
    await row('float', model, '')
    const batch = [50, 32, 25, 20, 10, 1].find((size) => data.samples % size === 0)
    for (const method of Object.keys(STATISTICS_OF_METHOD)) {
      const peerMethod = process.env.PYTHON === undefined ? undefined : PEER_OF[method]
      const out = join(folder, `${method}.onnx`)
      const peerOut = join(folder, `peer-${method}.onnx`)
      const sides = [
        [
          process.execPath,
          fileURLToPath(import.meta.url),
          '--ours',
          model,
          calibration,
          out,
          method,
        ],
      ]
      if (peerMethod !== undefined) {
        const script = fileURLToPath(new URL('quantize_peer.py', import.meta.url))
        const args = [model, calibration, input, data.samples, batch, peerOut, peerMethod]
        sides.push([process.env.PYTHON, script, ...args])
      }
      const [ours, theirs] = measured(sides)
      await row(`ours ${method}`, out, figuresOf(ours))
      if (theirs === undefined) continue
      await row(`onnxruntime ${peerMethod}`, peerOut, figuresOf(theirs))
      const ratio = (key) => `${(theirs[key] / ours[key]).toFixed(2)}x`
      console.log(
        `${' '.repeat(24)} theirs / ours: wall ${ratio('wall')}, cpu ${ratio('cpu')}, peak ${ratio('peak')}`,
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs each of the commands in turn, several times; medians of wall and processor seconds and peak. */
function measured(commands) {
  const runs = commands.map(() => [])
  for (let i = 0; i < RUNS; i++) {
    for (const [side, [program, ...argv]] of commands.entries()) {
      const start = performance.now()
      const output = execFileSync(program, argv.map(String), {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const wall = (performance.now() - start) / 1000
      runs[side].push({ wall, ...JSON.parse(output.trim().split('\n').pop()) })
    }
  }
  return runs.map((list) => {
    const median = (key) => list.map((run) => run[key]).sort((a, b) => a - b)[RUNS >> 1]
    return { wall: median('wall'), cpu: median('cpu'), peak: median('peak') }
  })
}

function figuresOf({ wall, cpu, peak }) {
  return `wall ${wall.toFixed(2)} s, cpu ${cpu.toFixed(2)} s, peak ${(peak / 1e6).toFixed(0)} MB`
}

async function ours(modelPath, dataPath, output, method) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-ours-'))
  try {
    const data = await openNormalized(dataPath, join(folder, 'data.npz'))
    const open = (model) =>
      runtime.createSession(encodeModel(model), { intraOpThreads: 1, optimization: 'none' })
    const { feeds } = await data.head(1)
    const { model } = await prepareModel(decodeModel(readFileSync(modelPath)), { open, feeds })
    const statistics = await calibrate({
      model,
      points: observationPoints(model),
      runtime,
      threads: THREADS,
      kind: STATISTICS_OF_METHOD[method],
      batches: data.batches({ batchSize: calibrationBatchSize(model) }),
    })
    const optimize = (bytes) => optimized(bytes, join(folder, 'optimized.onnx'))
    const result = await quantizeVerified({
      model,
      statistics: withRangesOf(statistics, method),
      optimize,
    })
    writeFileSync(output, encodeModel(result.model))
    return {
      cpu: Object.values(process.cpuUsage()).reduce((sum, us) => sum + us / 1e6, 0),
      peak: process.resourceUsage().maxRSS * 1024,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function optimized(bytes, path) {
  const session = await runtime.createSession(bytes, {
    optimizedModelPath: path,
    intraOpThreads: 1,
  })
  await session.release()
  return readFileSync(path)
}

async function openNormalized(from, to) {
  const source = await openFile(from)
  const sink = await createFile(to)
  await normalizeDataset(source, sink)
  await sink.close()
  await source.close()
  return openDataset(await openFile(to))
}

async function accuracy(path, data) {
  const session = await runtime.createSession({ path }, { intraOpThreads: 1 })
  let right = 0
  for await (const { feeds, labels, count } of data.batches({ batchSize: 250 })) {
    const scores = (await session.run(feeds))[session.outputs[0].name]
    const classes = scores.dims.at(-1)
    for (let i = 0; i < count; i++) {
      const row = scores.data.subarray(i * classes, (i + 1) * classes)
      if (row.indexOf(Math.max(...row)) === Number(labels.data[i])) right++
    }
  }
  await session.release()
  return right / data.samples
}
