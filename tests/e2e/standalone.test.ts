// The embedded stack killed in the middle of a job and started again on the same folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { Client } from './harness/client.js'
import { staticJob, submit, uploadExamples } from './harness/jobs.js'
import { descendantsOf, untilGone } from './harness/process-tree.js'
import { ServiceProcess } from './harness/service-process.js'
import { until } from './harness/until.js'
import { startWebhookSink, type WebhookSink } from './harness/webhook-sink.js'

let dataDir: string
let sink: WebhookSink
const stacks: ServiceProcess[] = []

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pare-standalone-'))
  sink = await startWebhookSink()
})
afterAll(async () => {
  for (const stack of stacks) if (stack.isRunning) await stack.kill()
  await sink.stop()
  await rm(dataDir, { recursive: true, force: true })
})

interface Introduced {
  readonly stack: ServiceProcess
  readonly url: string
  /** Shown by a first start only. */
  readonly key: string | undefined
}

async function start(): Promise<Introduced> {
  const stack = ServiceProcess.start({
    service: 'standalone',
    env: { PARE_PORT: '0', PARE_DATA_DIR: dataDir, WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8' },
  })
  stacks.push(stack)
  const url = await until('the stack to say where it is', () => {
    if (!stack.isRunning) throw new Error(`it ended: ${stack.tail()}`)
    return /Try: curl/.test(stack.output) && /listens on (\S+)/.exec(stack.output)?.[1]
  })
  return { stack, url, key: /: (pare_\S+)/.exec(stack.output)?.[1] }
}

describe('the embedded stack', () => {
  it('killed in the middle of a job loses nothing, keeps its key and finishes the job', async () => {
    const first = await start()
    const key = first.key ?? ''
    expect(key).toMatch(/^pare_/)
    const client = new Client(first.url, key)
    sink.trust((await client.createEndpoint(sink.url)).secret)
    const uploads = await uploadExamples(client)
    const job = await submit(client, staticJob(uploads), 'once')
    await until('the calibration to run', async () =>
      (await client.stages(job.id)).some(
        ({ name, state }) => name === '1-calibrate' && state === 'running',
      ),
    )
    const family = await descendantsOf(first.stack.pid)
    expect(family.map(({ command }) => command)).toContain('postgres')
    await first.stack.kill()
    await untilGone(family)

    const second = await start()
    expect(second.key).toBeUndefined()
    const again = new Client(second.url, key)
    expect((await submit(again, staticJob(uploads), 'once')).id).toBe(job.id)
    const ended = await again.untilEnded(job.id)
    expect(ended.state).toBe('succeeded')
    for (const artifact of await again.artifacts(job.id)) await again.download(artifact)
    const attempts = (await again.stages(job.id)).map(({ name, attempt }) => [name, attempt])
    expect(attempts).toEqual([
      ['prepare', 1],
      ['1-calibrate', 2],
      ['1-quantize_static', 1],
      ['evaluate', 1],
      ['report', 1],
    ])
    const types = (await again.events(job.id)).map(({ type }) => type)
    expect(types.filter((type) => type === 'job.succeeded')).toHaveLength(1)
    await until('its webhook', () =>
      sink.deliveries.some(({ job: of, type }) => of === job.id && type === 'job.succeeded'),
    )
    expect(sink.forgeries).toEqual([])

    const secondFamily = await descendantsOf(second.stack.pid)
    expect(await second.stack.stop()).toEqual({ code: 0, signal: null })
    await untilGone(secondFamily)
  }, 180_000)
})
