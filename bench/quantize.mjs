// Calibrate and quantize, compared with onnxruntime.quantization.quantize_static on the same model,
// data, batch size and processors: wall time, peak memory, and what the result is worth.
//
//   npm run build
//   PYTHON=python3 node bench/quantize.mjs model.onnx calibration.npz validation.npz [larger.npz]
//
// Without arguments: the model and data of examples/. Each run is a fresh process, the two sides
// alternate, each figure is the median. `wall` is the whole process, start-up and imports included;
// `work` leaves them out; `cpu` is the processor time of the whole process, which other work on the
// machine disturbs least. Ours prepares the model, learns shapes, calibrates, quantizes and reads
// the result back through onnxruntime; theirs calibrates and quantizes. Then both results are judged
// on the validation data, and their latency is measured in alternation with the float model's, one
// thread, batch 1.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { calibrate, calibrationBatchSize } from '../packages/calibration/dist/index.js'
import { normalizeDataset, openDataset } from '../packages/datasets/dist/index.js'
import { createFile, openFile } from '../packages/datasets/dist/node.js'
import { onnxRuntime } from '../packages/inference/dist/onnxruntime.js'
import { decodeModel, encodeModel } from '../packages/onnx/dist/index.js'
import { prepareModel } from '../packages/passes/dist/index.js'
import { observationPoints, quantizeVerified } from '../packages/quantization/dist/index.js'

const RUNS = Number(process.env.RUNS ?? 5)
const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url))
const runtime = onnxRuntime()

const args = process.argv.slice(2)
if (args[0] === '--ours') console.log(JSON.stringify(await ours(...args.slice(1))))
else await main(args)

async function main([
  model = join(EXAMPLES, 'fashion-resnet.onnx'),
  calibration = join(EXAMPLES, 'fashion-calibration.npz'),
  validation = join(EXAMPLES, 'fashion-validation.npz'),
  larger,
]) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-quantize-'))
  console.log(`${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.version}`)
  try {
    const outputs = compare({ model, data: calibration, folder })
    if (larger !== undefined) compare({ model, data: larger, folder })
    await judge({ model, validation, folder, outputs })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function compare({ model, data, folder }) {
  const outputs = { ours: join(folder, 'ours.onnx'), theirs: join(folder, 'theirs.onnx') }
  const sides = {
    ours: () => [
      process.execPath,
      [fileURLToPath(import.meta.url), '--ours', model, data, outputs.ours],
    ],
    theirs: ({ input, samples, batch }) => [
      process.env.PYTHON,
      [
        fileURLToPath(new URL('quantize_peer.py', import.meta.url)),
        model,
        data,
        input,
        samples,
        batch,
        outputs.theirs,
      ],
    ],
  }
  const figures = { ours: [], theirs: [] }
  for (let run = 0; run < RUNS; run++) {
    figures.ours.push(timed(sides.ours()))
    if (process.env.PYTHON) figures.theirs.push(timed(sides.theirs(figures.ours[0])))
  }
  console.log(`\n${model.split('/').pop()}, ${figures.ours[0].samples} samples`)
  const rows = Object.entries(figures).filter(([, runs]) => runs.length > 0)
  for (const [side, runs] of rows) {
    const [wall, work, cpu, peak] = ['wall', 'seconds', 'cpu', 'peak'].map((key) =>
      median(runs.map((r) => r[key])),
    )
    console.log(
      `  ${side.padEnd(6)} wall ${wall.toFixed(2)} s, work ${work.toFixed(2)} s, cpu ${cpu.toFixed(2)} s, peak ${(peak / 1e6).toFixed(0)} MB`,
    )
  }
  if (rows.length === 2) {
    const ratio = (key) =>
      (median(figures.ours.map((r) => r[key])) / median(figures.theirs.map((r) => r[key]))).toFixed(
        2,
      )
    console.log(
      `  ours / theirs: wall ${ratio('wall')}, work ${ratio('seconds')}, cpu ${ratio('cpu')}, memory ${ratio('peak')}`,
    )
  }
  return rows.map(([side]) => [side, outputs[side]])
}

function timed([command, argv]) {
  const start = performance.now()
  const output = execFileSync(command, argv.map(String), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return {
    wall: (performance.now() - start) / 1000,
    ...JSON.parse(output.trim().split('\n').pop()),
  }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}

/** What a job's stages do, in one process. */
async function ours(modelPath, dataPath, output) {
  const start = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-ours-'))
  try {
    const threads = cpus().length
    const data = await openNormalized(dataPath, join(folder, 'data.npz'))
    const open = (model) =>
      runtime.createSession(encodeModel(model), { intraOpThreads: 1, optimization: 'none' })
    const { feeds } = await data.head(1)
    const { model } = await prepareModel(decodeModel(readFileSync(modelPath)), { open, feeds })
    const batchSize = calibrationBatchSize(model)
    const statistics = await calibrate({
      model,
      points: observationPoints(model),
      runtime,
      threads,
      batches: data.batches({ batchSize }),
    })
    const optimize = (bytes) => optimized(bytes, join(folder, 'optimized.onnx'))
    const result = await quantizeVerified({ model, statistics, optimize })
    writeFileSync(output, encodeModel(result.model))
    return {
      seconds: (performance.now() - start) / 1000,
      cpu: Object.values(process.cpuUsage()).reduce((sum, us) => sum + us / 1e6, 0),
      peak: process.resourceUsage().maxRSS * 1024,
      samples: statistics.samples,
      batch: batchSize,
      input: Object.keys(feeds)[0],
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function openNormalized(from, to) {
  const source = await openFile(from)
  const sink = await createFile(to)
  await normalizeDataset(source, sink)
  await sink.close()
  await source.close()
  return openDataset(await openFile(to))
}

async function optimized(bytes, path) {
  const session = await runtime.createSession(bytes, {
    optimizedModelPath: path,
    intraOpThreads: 1,
  })
  await session.release()
  return readFileSync(path)
}

async function judge({ model, validation, folder, outputs }) {
  const data = await openNormalized(validation, join(folder, 'validation.npz'))
  const sides = [['float', model], ...outputs]
  const sessions = []
  for (const [side, path] of sides) {
    const session = await runtime.createSession({ path }, { intraOpThreads: 1 })
    sessions.push({ side, path, session, accuracy: await accuracy(session, data), times: [] })
  }
  const { feeds } = await data.head(1)
  // Short turns, so that other work on the machine disturbs all alike; the order rotates and the
  // first runs of a turn do not count, since they find the cache full of another's weights.
  for (let round = 0; round < 150; round++) {
    for (let turn = 0; turn < sessions.length; turn++) {
      const { session, times } = sessions[(round + turn) % sessions.length]
      for (let run = 0; run < 20; run++) {
        const start = performance.now()
        await session.run(feeds)
        if (run >= 5 && round >= 10) times.push(performance.now() - start)
      }
    }
  }
  console.log()
  const [float] = sessions
  for (const { side, path, accuracy: top1, times } of sessions) {
    const size = statSync(path).size / statSync(float.path).size
    const speed = median(float.times) / median(times)
    console.log(
      `  ${side.padEnd(6)} top1 ${(top1 * 100).toFixed(2)} %, size ${size.toFixed(3)}, p50 ${median(times).toFixed(3)} ms, speed ${speed.toFixed(2)}x`,
    )
  }
}

async function accuracy(session, data) {
  let right = 0
  for await (const { feeds, labels, count } of data.batches({ batchSize: 250 })) {
    const scores = (await session.run(feeds))[session.outputs[0].name]
    const classes = scores.dims.at(-1)
    for (let i = 0; i < count; i++) {
      const row = scores.data.subarray(i * classes, (i + 1) * classes)
      if (row.indexOf(Math.max(...row)) === Number(labels.data[i])) right++
    }
  }
  return right / data.samples
}
