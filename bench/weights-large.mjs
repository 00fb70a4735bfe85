// Weight quantization of a model larger than memory should hold: makes a model of MatMuls whose
// weights are in a file beside it (3 GB by default), quantizes it in a process of its own, reports
// that process's peak memory, and runs the result in onnxruntime.
//
//   npm run build
//   node bench/weights-large.mjs [gigabytes] [algorithm: rtn | hqq]
//   node bench/weights-large.mjs --service [gigabytes] [step as JSON]...
//
// --service sends such a model through the whole service instead (lib/large-service.mjs); about five
// times its size is needed on the disk of the temporary folder.
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { onnxRuntime } from '../packages/inference/dist/onnxruntime.js'
import { encodeModelChunks } from '../packages/onnx/dist/index.js'
import { quantizeWeights } from '../packages/quantization/dist/index.js'
import { createRandom } from '../packages/tensor/dist/index.js'
import { measureService } from './lib/large-service.mjs'

const WIDTH = 8192
const LAYER_BYTES = WIDTH * WIDTH * 4

const [first, ...rest] = process.argv.slice(2)
if (first === '--quantize') await quantize(...rest)
else if (first === '--service') await throughService(...rest)
else await main(Number(first ?? 3), rest[0] ?? 'rtn')

async function main(gigabytes, algorithm) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-large-'))
  try {
    const layers = Math.ceil((gigabytes * 2 ** 30) / LAYER_BYTES)
    writeWeights(join(folder, 'weights.bin'), layers)
    const output = join(folder, 'quantized.onnx')
    const self = fileURLToPath(import.meta.url)
    const report = execFileSync(process.execPath, [self, '--quantize', folder, layers, algorithm], {
      encoding: 'utf8',
    })
    const { seconds, peak } = JSON.parse(report)
    const [before, after] = [layers * LAYER_BYTES, statSync(output).size]
    console.log(
      `${algorithm}: ${(before / 2 ** 30).toFixed(2)} GiB to ${(after / 2 ** 30).toFixed(2)} GiB in ${seconds.toFixed(0)} s, peak memory ${(peak / 2 ** 30).toFixed(2)} GiB`,
    )
    const session = await onnxRuntime().createSession({ path: output }, { intraOpThreads: 2 })
    const data = new Float32Array(WIDTH).fill(1)
    const { y } = await session.run({ x: { dataType: 'float32', dims: [1, WIDTH], data } })
    await session.release()
    console.log(
      `onnxruntime runs it: ${y.dims.join(' x ')}, finite ${y.data.every(Number.isFinite)}`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function throughService(gigabytes = '3', ...steps) {
  const weights = JSON.stringify({ type: 'quantize_weights', bits: 4 })
  const wanted = (steps.length === 0 ? [weights] : steps).map((step) => JSON.parse(step))
  await measureService(Number(gigabytes), wanted)
}

/** Normally distributed numbers; a pool of them is written again and again, which rounding does not notice. */
function writeWeights(path, layers) {
  const { normal } = createRandom(1)
  const pool = Float32Array.from({ length: 2 ** 20 }, () => normal() / Math.sqrt(WIDTH))
  const file = openSync(path, 'w')
  const bytes = new Uint8Array(pool.buffer)
  for (let written = 0; written < layers * LAYER_BYTES; written += bytes.length) {
    writeSync(file, bytes)
  }
  closeSync(file)
}

async function quantize(folder, layers, algorithm) {
  const start = performance.now()
  const file = openSync(join(folder, 'weights.bin'), 'r')
  const load = (tensor) => {
    const bytes = new Uint8Array(tensor.data.length)
    readSync(file, bytes, 0, bytes.length, tensor.data.offset)
    return Promise.resolve({ ...tensor, data: { kind: 'bytes', bytes } })
  }
  const { model } = await quantizeWeights(largeModel(Number(layers)), { algorithm }, { load })
  const output = openSync(join(folder, 'quantized.onnx'), 'w')
  for (const chunk of encodeModelChunks(model)) writeSync(output, chunk)
  closeSync(output)
  const peak = process.resourceUsage().maxRSS * 1024
  console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, peak }))
}

function largeModel(layers) {
  const value = (name) => ({
    name,
    metadataProps: [],
    type: { kind: 'tensor', elementType: 'float32', shape: [{ param: 'n' }, { size: WIDTH }] },
  })
  const nodes = Array.from({ length: layers }, (_, i) => ({
    name: `layer${i}`,
    opType: 'MatMul',
    domain: '',
    inputs: [i === 0 ? 'x' : `h${i}`, `w${i}`],
    outputs: [i === layers - 1 ? 'y' : `h${i + 1}`],
    attributes: new Map(),
    metadataProps: [],
  }))
  const weight = (i) => ({
    dataType: 'float32',
    dims: [WIDTH, WIDTH],
    data: {
      kind: 'external',
      location: 'weights.bin',
      offset: i * LAYER_BYTES,
      length: LAYER_BYTES,
    },
  })
  return {
    irVersion: 8,
    opsetImports: [{ domain: '', version: 17 }],
    metadataProps: [],
    functions: [],
    graph: {
      name: 'large',
      nodes,
      inputs: [value('x')],
      outputs: [value('y')],
      valueInfo: [],
      initializers: new Map(nodes.map((_, i) => [`w${i}`, weight(i)])),
      sparseInitializers: [],
      metadataProps: [],
    },
  }
}
