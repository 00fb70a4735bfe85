// What must hold when everything has come to rest, whatever happened before. Answers every breach.
import { createHash } from 'node:crypto'

import type { Job, JobEvent, Stage } from '@pare/contracts'
import { listUsageOfJob, type UsageRow } from '@pare/database'

import type { Page } from './client.js'
import type { Cluster, Tenant } from './cluster.js'
import { until } from './until.js'
import type { WebhookSink } from './webhook-sink.js'

const ENDS = ['job.succeeded', 'job.failed', 'job.canceled', 'job.expired']

interface JobLedger {
  readonly job: Job
  readonly events: readonly JobEvent[]
  readonly stages: readonly Stage[]
  readonly usage: readonly UsageRow[]
}

/** Looks at every job of the project; an empty list is what a test expects. */
export async function findBreaches(cluster: Cluster, tenant: Tenant): Promise<readonly string[]> {
  const { client } = tenant
  const { data: jobs } = await client.get<Page<Job>>('/v1/jobs?limit=200')
  const breaches: string[] = []
  const computed = new Map<string, string>()
  for (const { id } of jobs) {
    const ledger: JobLedger = {
      job: await client.job(id),
      events: await client.events(id),
      stages: await client.stages(id),
      usage: await listUsageOfJob(cluster.database.pool, id),
    }
    const found = [
      ...checkEvents(ledger),
      ...checkStages(ledger),
      ...checkSingleComputation(ledger, computed),
      ...(await checkStream(ledger, tenant)),
      ...(await checkArtifacts(ledger, cluster, tenant)),
      ...(await checkWebhooks(ledger, cluster.sink)),
    ]
    breaches.push(...found.map((breach) => `${id}: ${breach}`))
  }
  return breaches
}

function checkEvents({ job, events }: JobLedger): readonly string[] {
  const types = events.map(({ type }) => type)
  const ends = types.filter((type) => ENDS.includes(type))
  return [
    ...(ends.length === 1 ? [] : [`has ${ends.length} terminal events`]),
    ...(types.at(-1) === `job.${job.state}` ? [] : [`is ${job.state}, last said ${types.at(-1)}`]),
    ...(events.every(({ seq }, i) => seq === i + 1) ? [] : ['its event numbers have gaps']),
    ...(job.event_seq === events.length ? [] : ['it gave out numbers without events']),
  ]
}

/** A stage ends once, and each attempt is in the usage ledger once. */
function checkStages({ stages, usage, events }: JobLedger): readonly string[] {
  return stages.flatMap(({ id, name, state, attempt, from_cache: fromCache }) => {
    const rows = usage.filter(({ stageId }) => stageId === id)
    const wins = rows.filter(({ outcome }) => outcome === 'succeeded').length
    const booked = rows.map((row) => row.attempt).sort((a, b) => a - b)
    const ended = events.filter(
      ({ type, data }) => type === 'stage.succeeded' && data['stage'] === name,
    )
    const last = ended[0]?.seq ?? Infinity
    const late = events.filter(
      ({ type, data, seq }) => type === 'stage.started' && data['stage'] === name && seq > last,
    )
    const expected = state === 'succeeded' ? 1 : 0
    return [
      ...(['succeeded', 'failed', 'canceled'].includes(state) ? [] : [`${name} is ${state}`]),
      ...(ended.length === expected ? [] : [`${name} ended ${ended.length} times`]),
      ...(wins === (fromCache ? 0 : expected) ? [] : [`${name} was computed ${wins} times`]),
      ...(booked.every((number, i) => number === i + 1) && booked.length === attempt
        ? []
        : [`${name} has ${attempt} attempts, booked are ${booked.join(', ')}`]),
      ...(late.length === 0 ? [] : [`${name} started again after it had succeeded`]),
    ]
  })
}

/** Inside a project a key is computed once. */
function checkSingleComputation(
  { stages }: JobLedger,
  computed: Map<string, string>,
): readonly string[] {
  return stages
    .filter(({ state, from_cache: fromCache }) => state === 'succeeded' && !fromCache)
    .flatMap(({ key, id }) => {
      const other = computed.get(key ?? '')
      computed.set(key ?? '', id)
      return other === undefined ? [] : [`${id} computed what ${other} had computed`]
    })
}

/** The stream tells the same story as the list, from wherever it is taken up. */
async function checkStream({ job, events }: JobLedger, tenant: Tenant): Promise<readonly string[]> {
  for (const after of [0, Math.floor(events.length / 2)]) {
    const streamed = await tenant.client.streamEvents(job.id, after)
    if (JSON.stringify(streamed) !== JSON.stringify(events.slice(after))) {
      return [`its stream after ${after} differs from its list`]
    }
  }
  return []
}

/** A model too large for one file is an archive. */
const PUBLISHED = /^model\.(onnx|zip),report\.json,report\.html$/

async function checkArtifacts(
  { job }: JobLedger,
  { store }: Cluster,
  { client }: Tenant,
): Promise<readonly string[]> {
  const artifacts = await client.artifacts(job.id)
  const names = artifacts.map(({ name }) => name)
  const breaches: string[] = []
  if (job.state === 'succeeded' && !PUBLISHED.test(names.join())) {
    breaches.push(`it published ${names.join()}`)
  }
  for (const { sha256, size_bytes: size, name } of artifacts) {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of await store.get(sha256)) {
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
    if (hash.digest('hex') !== sha256 || bytes !== size) breaches.push(`${name} is not its blob`)
  }
  return breaches
}

/** The end arrives, signed, under one id, as often as it may. */
async function checkWebhooks({ job }: JobLedger, sink: WebhookSink): Promise<readonly string[]> {
  const type = `job.${job.state}`
  await until(`the webhook ${type} of ${job.id}`, () =>
    sink.deliveries.some((delivery) => delivery.job === job.id && delivery.type === type),
  )
  const ofJob = sink.deliveries.filter((delivery) => delivery.job === job.id)
  const ends = ofJob.filter((delivery) => ENDS.includes(delivery.type))
  const starts = ofJob.filter((delivery) => delivery.type === 'job.started')
  const contents = new Set(ofJob.map(({ id, body }) => `${id} ${body}`))
  return [
    ...(new Set(ends.map(({ id }) => id)).size === 1 ? [] : ['its end has several webhook ids']),
    ...(new Set(starts.map(({ id }) => id)).size <= 1 ? [] : ['its start has several webhook ids']),
    ...(contents.size === new Set(ofJob.map(({ id }) => id)).size
      ? []
      : ['a webhook id came with two bodies']),
    ...sink.forgeries.map((forgery) => `a webhook was not signed: ${String(forgery)}`),
  ]
}
