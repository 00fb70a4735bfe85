// What an ML pipeline does with Pare, in plain fetch calls: upload a model and data, ask for a
// compression, follow it, read the report, download the result.
//
//   PARE_URL=http://127.0.0.1:8080 PARE_API_KEY=… node examples/pipeline.mjs
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))

/** A small client: every answer that is not 2xx is an error that says what the service said. */
export function connect(url, apiKey) {
  async function call(path, { method = 'GET', headers = {}, body } = {}) {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...headers },
      body,
      duplex: 'half',
    })
    if (response.ok) return response
    const problem = await response.text()
    throw new Error(`${method} ${path} answered ${response.status}: ${problem}`)
  }
  const json = async (path, options) => (await call(path, options)).json()
  const post = (path, value) =>
    json(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
    })
  return { call, json, post, upload: (kind, file) => upload(json, kind, file) }
}

/** Sends a file as it is and waits until the service has checked it. */
async function upload(json, kind, file) {
  const created = await json(`/v1/${kind}?name=${encodeURIComponent(basename(file))}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    // As a stream: a buffer ends at 2 GiB.
    body: createReadStream(file),
  })
  for (;;) {
    const resource = await json(`/v1/${kind}/${created.id}`)
    if (resource.state === 'ready') return resource
    if (resource.state === 'rejected') {
      throw new Error(`${file} was rejected: ${JSON.stringify(resource)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Follows a job by its events until it ends; answers the finished job. */
export async function follow(pare, jobId, onEvent) {
  const response = await pare.call(`/v1/jobs/${jobId}/events`, {
    headers: { accept: 'text/event-stream' },
  })
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end))
      if (data) onEvent(JSON.parse(data[1]))
      text = text.slice(end + 2)
    }
  }
  return pare.json(`/v1/jobs/${jobId}`)
}

/** The whole journey with the files of this folder. */
export async function runPipeline(pare, { onStep, onEvent }) {
  onStep('uploading the model and its data')
  const [model, calibration, validation] = await Promise.all([
    pare.upload('models', here('fashion-resnet.onnx')),
    pare.upload('datasets', here('fashion-calibration.npz')),
    pare.upload('datasets', here('fashion-validation.npz')),
  ])
  onStep(`${model.id}, ${calibration.id} and ${validation.id} are ready; submitting the job`)
  const job = await pare.post('/v1/jobs', {
    model: model.id,
    datasets: { calibration: calibration.id, validation: validation.id },
    recipe: { steps: [{ type: 'quantize_static' }] },
    evaluation: { metric: 'top1' },
    constraints: { max_drop: 0.01 },
  })
  onStep(`${job.id} is accepted`)
  const finished = await follow(pare, job.id, onEvent)
  if (finished.state !== 'succeeded') {
    throw new Error(`the job ended as ${finished.state}: ${JSON.stringify(finished.error)}`)
  }
  const report = await pare.json(`/v1/jobs/${job.id}/report`)
  const { data: artifacts } = await pare.json(`/v1/jobs/${job.id}/artifacts`)
  const artifact = artifacts.find(({ kind }) => kind === 'model')
  return { job: finished, report, artifact, bytes: await download(pare, artifact) }
}

async function download(pare, artifact) {
  const response = await pare.call(`/v1/artifacts/${artifact.id}/content`)
  const bytes = Buffer.from(await response.arrayBuffer())
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== artifact.sha256) throw new Error(`the download's hash is ${sha256}`)
  return bytes
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { PARE_URL = 'http://127.0.0.1:8080', PARE_API_KEY } = process.env
  if (PARE_API_KEY === undefined) throw new Error('set PARE_API_KEY: `npm start` prints it')
  const { report, bytes } = await runPipeline(connect(PARE_URL, PARE_API_KEY), {
    onStep: (text) => console.log(text),
    onEvent: ({ seq, type }) => console.log(`  event ${seq}: ${type}`),
  })
  await writeFile('fashion-resnet.int8.onnx', bytes)
  console.log(JSON.stringify(report.summary, null, 2))
  console.log('wrote fashion-resnet.int8.onnx')
}
