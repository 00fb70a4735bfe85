// What must hold of jobs whose plan grew, besides what holds of every job. Answers every breach.
import type { Job } from '@pare/contracts'

import type { Page } from './client.js'
import type { Cluster, Tenant } from './cluster.js'

interface GrownJob {
  readonly id: string
  readonly state: string
  readonly error: { readonly code: string } | null
  readonly isComplete: boolean
  /** Names, as the plan has them and as there are rows, in order. */
  readonly planned: readonly string[]
  readonly stages: readonly string[]
  readonly endMessages: number
}

/** Looks at every job of the project; an empty list is what a test expects. */
export async function findGrowthBreaches(
  cluster: Cluster,
  { projectId, client }: Tenant,
): Promise<readonly string[]> {
  const { rows: jobs } = await cluster.database.pool.query<GrownJob>(
    `SELECT id, state, error, (plan -> 'isComplete')::boolean AS "isComplete",
       ARRAY(SELECT planned ->> 'name' FROM jsonb_array_elements(plan -> 'stages')
         WITH ORDINALITY AS listed (planned, at) ORDER BY at) AS planned,
       ARRAY(SELECT name FROM stage WHERE job_id = job.id ORDER BY position) AS stages,
       (SELECT count(*)::integer FROM webhook_message WHERE job_id = job.id
         AND type IN ('job.succeeded', 'job.failed', 'job.canceled', 'job.expired'))
         AS "endMessages"
     FROM job WHERE project_id = $1 ORDER BY created_at`,
    [projectId],
  )
  const breaches: string[] = []
  const { data: listed } = await client.get<Page<Job>>('/v1/jobs?limit=200')
  if (listed.length !== jobs.length) breaches.push(`${listed.length} of ${jobs.length} jobs listed`)
  for (const job of jobs) {
    const found = [...checkPlan(job), ...checkRounds(job), ...(await checkProgress(job, client))]
    breaches.push(...found.map((breach) => `${job.id}: ${breach}`))
  }
  return breaches
}

function checkPlan(job: GrownJob): readonly string[] {
  const { state, error, isComplete, planned, stages, endMessages } = job
  return [
    ...(state === 'succeeded' ? [] : [`is ${state}: ${error?.code}`]),
    ...(isComplete ? [] : ['its plan is not complete']),
    ...(planned.join() === stages.join()
      ? []
      : [`has ${stages.join()}, planned ${planned.join()}`]),
    ...(new Set(stages).size === stages.length ? [] : ['a stage is there twice']),
    ...(endMessages === 1 ? [] : [`${endMessages} webhook messages tell its end`]),
  ]
}

/** Rounds follow each other without a gap, and each is measured. */
function checkRounds({ stages }: GrownJob): readonly string[] {
  const measured = stages.filter((name) => name.endsWith('/measure'))
  const expected = measured.map((_, i) => `${i + 1}/measure`)
  return measured.length > 0 && measured.join() === expected.join()
    ? []
    : [`its rounds are ${measured.join()}`]
}

async function checkProgress(
  { id }: GrownJob,
  client: Tenant['client'],
): Promise<readonly string[]> {
  const fractions = (await client.events(id)).flatMap(({ data }) => {
    const { fraction } = (data['progress'] ?? {}) as { readonly fraction?: number }
    return fraction === undefined ? [] : [fraction]
  })
  const fell = fractions.findIndex((fraction, i) => fraction < (fractions[i - 1] ?? 0))
  return fell === -1 ? [] : [`its progress fell from ${fractions[fell - 1]} to ${fractions[fell]}`]
}
