// How quickly the service answers, on this machine:
//  1. from submission to the start of the first stage, on an idle stack;
//  2. status polling at 200 requests a second while a job runs;
//  3. a job from submission to `succeeded`, and the same job again from the stage cache.
//
//   npm run build && node bench/service.mjs [--separate] [--seconds 20] [--rate 200] [--submissions 30]
//
// --separate runs API and worker in a process each, as an installation does; without it the embedded
// stack is measured.
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'node:http'

import { connect } from '../examples/pipeline.mjs'
import { startSeparateStack, startStack } from '../scripts/stack.mjs'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '200' },
    separate: { type: 'boolean', default: false },
    submissions: { type: 'string', default: '30' },
  },
})
const example = (name) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url))
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)]
}

const figures = (values) =>
  `p50 ${percentile(values, 50).toFixed(1)} ms, p99 ${percentile(values, 99).toFixed(1)} ms, max ${Math.max(...values).toFixed(1)} ms (${values.length})`

async function settle(pare, jobId, everyMs = 20) {
  for (;;) {
    const job = await pare.json(`/v1/jobs/${jobId}`)
    if (['succeeded', 'failed', 'canceled', 'expired'].includes(job.state)) return job
    await sleep(everyMs)
  }
}

/** Each job has its own seed, so that no stage comes from the cache. */
async function measureStarts(pare, body) {
  const delays = []
  for (let seed = 1; seed <= Number(options.submissions); seed++) {
    const job = await pare.post('/v1/jobs', { ...body, seed: 1000 + seed })
    let first
    do {
      const { data } = await pare.json(`/v1/jobs/${job.id}/stages`)
      first = data[0]
      await sleep(5)
    } while (first.started_at === null)
    delays.push(Date.parse(first.started_at) - Date.parse(job.created_at))
    await pare.post(`/v1/jobs/${job.id}/cancel`, {})
    await settle(pare, job.id)
    await sleep(300) // idle again: the next spare engine is up
  }
  return delays
}

/** Open-loop load: requests leave on time whether or not earlier ones were answered. */
async function measurePolling({ url, apiKey }, jobPath) {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  const latencies = []
  const pending = []
  const period = 1000 / Number(options.rate)
  const start = performance.now()
  for (let i = 0; i < Number(options.rate) * Number(options.seconds); i++) {
    const due = start + i * period
    const wait = due - performance.now()
    if (wait > 0.5) await sleep(wait)
    pending.push(
      new Promise((resolve, reject) => {
        const sent = performance.now()
        request(
          new URL(jobPath(), url),
          { agent, headers: { authorization: `Bearer ${apiKey}` } },
          (response) => {
            response.resume().on('end', () => {
              latencies.push(performance.now() - sent)
              if (response.statusCode === 200) resolve()
              else reject(new Error(`status ${response.statusCode}`))
            })
          },
        )
          .on('error', reject)
          .end()
      }),
    )
  }
  await Promise.all(pending)
  agent.destroy()
  return latencies
}

/** Keeps one job running until told to stop; tells which. */
function keepBusy(pare, body) {
  let stopped = false
  let current = null
  let jobs = 0
  const done = (async () => {
    while (!stopped) {
      current = await pare.post('/v1/jobs', { ...body, seed: 5000 + jobs++ })
      // Slowly: these requests come on top of the measured ones.
      await settle(pare, current.id, 250)
    }
  })()
  return {
    current: () => current,
    stop: async () => {
      stopped = true
      await done
      return jobs
    },
  }
}

const stack = await (options.separate ? startSeparateStack() : startStack())
try {
  const pare = connect(stack.url, stack.apiKey)
  const [model, calibration, validation] = await Promise.all([
    pare.upload('models', example('fashion-resnet.onnx')),
    pare.upload('datasets', example('fashion-calibration.npz')),
    pare.upload('datasets', example('fashion-validation.npz')),
  ])
  const body = {
    model: model.id,
    datasets: { calibration: calibration.id, validation: validation.id },
    recipe: { steps: [{ type: 'quantize_static' }] },
  }
  console.log('submission to first stage start:', figures(await measureStarts(pare, body)))

  const timeJob = async (seed) => {
    const start = performance.now()
    const job = await settle(pare, (await pare.post('/v1/jobs', { ...body, seed })).id)
    if (job.state !== 'succeeded') throw new Error(`the job ended as ${job.state}`)
    return `${((performance.now() - start) / 1000).toFixed(2)} s`
  }
  await timeJob(1)
  console.log('a warm job, submit to succeeded:', await timeJob(2))
  console.log('the same job from the stage cache:', await timeJob(2))

  const busy = keepBusy(pare, body)
  while (busy.current() === null) await sleep(10)
  const latencies = await measurePolling(stack, () => `/v1/jobs/${busy.current().id}`)
  console.log(
    `polling at ${options.rate}/s for ${options.seconds} s while jobs run:`,
    figures(latencies),
    `; ${await busy.stop()} jobs ran meanwhile`,
  )
} finally {
  await stack.stop()
}
