// Growing jobs on workers that are killed again and again, by chance and in the middle of a growth;
// when all has come to rest, everything must be as if nothing had happened.
import type { Artifact } from '@pare/contracts'

import type { Client } from './client.js'
import { Cluster, type Tenant } from './cluster.js'
import { Gates } from './gates.js'
import { findGrowthBreaches } from './growth.js'
import { findBreaches } from './invariants.js'
import { growingJob, submit, uploadExamples, type Uploads } from './jobs.js'
import { Killer, type Kills } from './killer.js'
import { findLeftovers } from './leftovers.js'
import { type Counts, countUsage } from './usage.js'

export interface KillRunOptions {
  readonly kills: number
  readonly workers: number
  /** Customers, each of whom submits the next job when the last one has ended. */
  readonly customers: number
  /** Mean time between two kills. */
  readonly everyMs: number
  /** Each so many kills, one is aimed at a growth. */
  readonly aimEvery: number
  /** So many of the jobs are run again in peace: their models must be the same. */
  readonly compared: number
  readonly onKill?: (kills: Kills) => void
}

export interface KillRun {
  readonly kills: Kills
  readonly jobs: number
  readonly seconds: number
  readonly counts: Counts
  /** Jobs whose model was compared with that of an undisturbed run. */
  readonly compared: number
  /** What does not hold; nothing is expected. */
  readonly breaches: readonly string[]
}

/** A job waits for leases and delays again and again. */
const PATIENCE = { limitMs: 15 * 60_000, everyMs: 250 }

export async function runKills(options: KillRunOptions): Promise<KillRun> {
  const cluster = await Cluster.start({
    apis: 1,
    workers: options.workers,
    env: { PARE_LEASE_SECONDS: '2' },
  })
  const gates = await Gates.build(cluster.database.pool)
  try {
    const run = await killWhileJobsRun(cluster, gates, options)
    const codes = await cluster.stopServices()
    const unclean = codes.filter((code) => code !== 0).map((code) => `a process ended with ${code}`)
    const leftovers = (await findLeftovers(cluster)).map((name) => `left behind: ${name}`)
    return { ...run, breaches: [...run.breaches, ...unclean, ...leftovers] }
  } finally {
    await gates.dispose()
    await cluster.close()
  }
}

async function killWhileJobsRun(
  cluster: Cluster,
  gates: Gates,
  options: KillRunOptions,
): Promise<KillRun> {
  const tenant = await cluster.tenant()
  const uploads = await uploadExamples(tenant.client)
  const start = performance.now()
  const killer = new Killer(cluster, gates)
  const killing = killer.kill(options)
  const customers = Array.from({ length: options.customers }, (_, at) =>
    serveCustomer(tenant.client, uploads, { at, of: options.customers, killer }),
  )
  const [kills, ...served] = await Promise.all([killing, ...customers])
  const jobs = served.flat()
  const seconds = (performance.now() - start) / 1000
  const compared = new Map(jobs.map((job) => [job.number, job]))
  const models = [...compared.values()].slice(0, options.compared)
  return {
    ...{ kills, seconds, jobs: jobs.length, compared: models.length },
    counts: await countUsage(cluster.database.pool, tenant.projectId),
    breaches: [
      ...(await findBreaches(cluster, tenant)),
      ...(await findGrowthBreaches(cluster, tenant)),
      ...(await compareInPeace(cluster, tenant, models)),
    ],
  }
}

interface ServedJob {
  readonly id: string
  readonly number: number
}

/** Two customers at a time want the same job, so that stages wait for each other and the cache. */
async function serveCustomer(
  client: Client,
  uploads: Uploads,
  { at, of, killer }: { readonly at: number; readonly of: number; readonly killer: Killer },
): Promise<readonly ServedJob[]> {
  const served: ServedJob[] = []
  while (!killer.isDone) {
    const number = Math.floor((served.length * of + at) / 2)
    const { id } = await submit(client, growingJob(uploads, number))
    served.push({ id, number })
    await client.untilEnded(id, PATIENCE)
  }
  return served
}

/** In a project of its own nothing comes from the cache of the disturbed jobs. */
async function compareInPeace(
  cluster: Cluster,
  disturbed: Tenant,
  jobs: readonly ServedJob[],
): Promise<readonly string[]> {
  const { client } = await cluster.tenant()
  const uploads = await uploadExamples(client)
  const breaches: string[] = []
  for (const { id, number } of jobs) {
    const twin = await submit(client, growingJob(uploads, number))
    await client.untilEnded(twin.id, PATIENCE)
    const [model, expected] = [await modelOf(disturbed.client, id), await modelOf(client, twin.id)]
    if (model?.sha256 !== expected?.sha256)
      breaches.push(`${id}: its model is not that of ${twin.id}`)
  }
  return breaches
}

async function modelOf(client: Client, id: string): Promise<Artifact | undefined> {
  return (await client.artifacts(id)).find(({ kind }) => kind === 'model')
}
