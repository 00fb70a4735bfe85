// How long a 1 GB model takes to open and how much memory that needs; then writing it back.
//
//   npm run build && node bench/codec.mjs [gigabytes=1]
//   PYTHON=python3 node bench/codec.mjs        also measures onnx.load of that Python
//
// Each figure is the median of five fresh processes; the file is in the page cache, so the disk is
// not measured. Peak memory is the process's maximum resident set.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { attr } from '../packages/graph/dist/index.js'
import { model } from '../packages/graph/dist/testing.js'
import { decodeModel, encodeModelChunks } from '../packages/onnx/dist/index.js'

const LAYER_BYTES = 16 * 2 ** 20
const NODES_PER_LAYER = 40
const RUNS = 5

const [mode, path] = process.argv.slice(2)
if (mode === '--open') report(open(path))
else if (mode === '--rewrite') report(rewrite(path))
else main(Number(mode ?? 1))

function main(gigabytes) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-codec-'))
  const file = join(folder, 'large.onnx')
  try {
    writeChunks(file, encodeModelChunks(largeModel(gigabytes)))
    console.log(`file: ${(statSync(file).size / 1e9).toFixed(3)} GB, Node ${process.version}`)
    print('open', measure('--open', file))
    print('open, rewrite', measure('--rewrite', file))
    if (process.env.PYTHON) print('onnx.load (Python)', measurePython(process.env.PYTHON, file))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Layers of MatMul with 16 MiB of float32 each and a tail of small nodes, as real models have. */
function largeModel(gigabytes) {
  const layers = Math.ceil((gigabytes * 1e9) / LAYER_BYTES)
  const weight = new Float32Array(LAYER_BYTES / 4).map((_, i) => Math.sin(i))
  const builder = model().input('x', 'float32', ['batch', 2048])
  let value = 'x'
  for (let layer = 0; layer < layers; layer++) {
    builder.floats(`w${layer}`, [2048, 2048], weight)
    builder.node('MatMul', [value, `w${layer}`], [`m${layer}`])
    value = `m${layer}`
    for (let i = 0; i < NODES_PER_LAYER; i++) {
      builder.node('LeakyRelu', [value], [`r${layer}_${i}`], { alpha: attr.float(0.5) })
      value = `r${layer}_${i}`
    }
  }
  return builder.node('Identity', [value], ['y']).output('y', 'float32', ['batch', 2048]).build()
}

function open(file) {
  const start = performance.now()
  const bytes = readFileSync(file)
  const read = performance.now()
  const { graph } = decodeModel(bytes)
  const end = performance.now()
  const views = [...graph.initializers.values()].every(
    ({ data }) => data.bytes.buffer === bytes.buffer,
  )
  if (!views) throw new Error('a tensor was copied')
  return { seconds: (end - start) / 1e3, decodeSeconds: (end - read) / 1e3 }
}

function rewrite(file) {
  const start = performance.now()
  const chunks = encodeModelChunks(decodeModel(readFileSync(file)))
  writeChunks(`${file}.copy`, chunks)
  return { seconds: (performance.now() - start) / 1e3 }
}

function writeChunks(file, chunks) {
  const descriptor = openSync(file, 'w')
  for (const chunk of chunks) {
    for (let done = 0; done < chunk.length;) done += writeSync(descriptor, chunk, done)
  }
  closeSync(descriptor)
}

function report(result) {
  // maxRSS is in KiB.
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6
  console.log(JSON.stringify({ ...result, cpuSeconds, peakBytes: maxRSS * 1024 }))
}

function measure(mode, file) {
  const script = fileURLToPath(import.meta.url)
  return median(() => JSON.parse(execFileSync(process.execPath, [script, mode, file])))
}

/** The run with the median time; one run before them brings the file into the page cache. */
function median(run) {
  run()
  const runs = Array.from({ length: RUNS }, run).sort((a, b) => a.seconds - b.seconds)
  return runs[Math.floor(RUNS / 2)]
}

function measurePython(python, file) {
  const program = `
import json, resource, sys, time
import onnx
start = time.perf_counter()
onnx.load(sys.argv[1])
seconds = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps({"seconds": seconds, "cpuSeconds": cpu, "peakBytes": usage.ru_maxrss * 1024}))`
  return median(() => JSON.parse(execFileSync(python, ['-c', program, file])))
}

function print(label, { seconds, decodeSeconds, cpuSeconds, peakBytes }) {
  const decode = decodeSeconds === undefined ? '' : `, of it decoding ${decodeSeconds.toFixed(3)} s`
  const peak = (peakBytes / 1e9).toFixed(2)
  const cpu = cpuSeconds.toFixed(2)
  console.log(`${label}: ${seconds.toFixed(2)} s${decode}; CPU ${cpu} s, peak memory ${peak} GB`)
}
