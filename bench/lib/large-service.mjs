// A model larger than protobuf allows through the whole service: uploaded as an archive, inspected,
// quantized, judged beside its original, downloaded and run. Says how long each part took and how much
// memory each process needed; engines are killed above 4 GiB.
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { connect } from '../../examples/pipeline.mjs'
import { float32Array, npz } from '../../packages/datasets/dist/testing.js'
import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { isBundle, openModelFile, planModelFile } from '../../packages/onnx/dist/bundle/index.js'
import { encodeModel } from '../../packages/onnx/dist/index.js'
import { createRandom } from '../../packages/tensor/dist/index.js'
import { startStack } from '../../scripts/stack.mjs'
import { largeModel, WIDTH } from './large-model.mjs'
import { watchMemory } from './watch-memory.mjs'

const SAMPLES = 32
const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(2)} GiB`

/** `settings` are of the stack, as environment variables. */
export async function measureService(gigabytes, steps, settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-bench-large-'))
  const stack = await startStack({
    PARE_ENGINE_MEMORY_MIB: '4096',
    // Enough on a machine that is busy with other things as well.
    PARE_INSPECT_TIMEOUT_SECONDS: '1800',
    PARE_LOG_LEVEL: 'error',
    ...settings,
  })
  try {
    const pare = connect(stack.url, stack.apiKey)
    const uploaded = await measured('upload and inspect', stack, () =>
      upload({ pare, stack, folder }, gigabytes),
    )
    for (const step of steps) await runJob({ pare, stack, folder }, uploaded, step)
  } finally {
    await stack.stop()
    rmSync(folder, { recursive: true })
  }
}

async function upload({ pare, stack, folder }, gigabytes) {
  const path = join(folder, 'large.zip')
  const size = planModelFile(largeModel(gigabytes)).write(path)
  const { normal } = createRandom(2)
  const data = join(folder, 'data.npz')
  const x0 = Float32Array.from({ length: SAMPLES * WIDTH }, () => normal())
  writeFileSync(data, npz({ x0: float32Array([SAMPLES, WIDTH], x0) }))
  console.log(`an archive of ${gib(size)}`)
  const model = await uploadModel(pare, stack, path)
  rmSync(path)
  return { model, dataset: await pare.upload('datasets', data) }
}

/** Not by fetch, which would hold the whole file in memory. */
async function uploadModel(pare, { url, apiKey }, path) {
  const { id } = await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${apiKey}`, 'content-length': statSync(path).size }
    const sending = request(new URL('/v1/models?name=large', url), { method: 'POST', headers })
    sending.on('response', (response) => json(response).then(resolve, reject))
    pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), sending).catch(reject)
  })
  for (;;) {
    const model = await pare.json(`/v1/models/${id}`)
    if (model.state === 'ready') return model
    if (model.state === 'rejected') throw new Error(JSON.stringify(model.error))
    await sleep(250)
  }
}

async function runJob({ pare, stack, folder }, { model, dataset }, step) {
  const { artifact, report } = await measured(JSON.stringify(step), stack, async () => {
    const job = await settle(
      pare,
      await pare.post('/v1/jobs', {
        model: model.id,
        datasets: { calibration: dataset.id, validation: dataset.id },
        recipe: { steps: [step] },
      }),
    )
    if (job.state !== 'succeeded') throw new Error(`${job.state}: ${JSON.stringify(job.error)}`)
    const { data: artifacts } = await pare.json(`/v1/jobs/${job.id}/artifacts`)
    const { data: stages } = await pare.json(`/v1/jobs/${job.id}/stages`)
    for (const { kind, started_at: start, finished_at: end } of stages) {
      console.log(`  ${kind}: ${((Date.parse(end) - Date.parse(start)) / 1000).toFixed(1)} s`)
    }
    return {
      artifact: artifacts.find(({ kind }) => kind === 'model'),
      report: await pare.json(`/v1/jobs/${job.id}/report`),
    }
  })
  const { primary, ratios } = report.evaluation
  console.log(
    `  result ${artifact.name} ${gib(artifact.size_bytes)}, ${primary.name} ${primary.result.toFixed(4)}, size ${ratios.size.toFixed(3)}, speed ${ratios.speed.toFixed(2)}`,
  )
  const path = join(folder, artifact.name)
  await download(pare, artifact, path)
  await runIt(path)
  rmSync(path)
}

async function measured(name, { pid }, work) {
  const start = performance.now()
  const memory = watchMemory(pid)
  const result = await work().finally(() => {
    console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
    for (const { kind, peak, anonymous } of memory.stop()) {
      console.log(`  ${kind}: peak ${gib(peak)}, of its own ${gib(anonymous)}`)
    }
  })
  return result
}

async function settle(pare, { id }) {
  for (;;) {
    const job = await pare.json(`/v1/jobs/${id}`)
    if (['succeeded', 'failed', 'canceled', 'expired'].includes(job.state)) return job
    await sleep(250)
  }
}

async function download(pare, { id, sha256 }, path) {
  const { body } = await pare.call(`/v1/artifacts/${id}/content`)
  const hash = createHash('sha256')
  const hashing = new Transform({
    transform: (chunk, _encoding, done) => done(null, (hash.update(chunk), chunk)),
  })
  await pipeline(Readable.fromWeb(body), hashing, createWriteStream(path))
  if (hash.digest('hex') !== sha256) throw new Error('the download has another hash')
}

/** As its receiver would: an .onnx file by its path, an archive with its folder. */
async function runIt(path) {
  const isArchive = isBundle(path)
  const source = isArchive ? encodeModel(openModelFile(path).model) : { path }
  const session = await onnxRuntime().createSession(source, {
    intraOpThreads: 2,
    ...(isArchive ? { externalDataFolder: dirname(path) } : {}),
  })
  const data = new Float32Array(WIDTH).map((_, i) => Math.sin(i))
  const { y } = await session.run({ x0: { dataType: 'float32', dims: [1, WIDTH], data } })
  await session.release()
  console.log(
    `  onnxruntime runs the download (${gib(statSync(path).size)}): ${y.dims.join(' x ')}, finite ${y.data.every(Number.isFinite)}`,
  )
}
