import type { Pool } from '@pare/database'

/** What the stages of a project's jobs took. */
export interface Counts {
  readonly stages: number
  readonly fromCache: number
  readonly rounds: number
  /** Claims, by how they ended. */
  readonly attempts: Readonly<Record<string, number>>
  /** Attempts that were lost with their worker, by kind of stage. */
  readonly lost: Readonly<Record<string, number>>
}

export async function countUsage(pool: Pool, projectId: string): Promise<Counts> {
  const stages = await pool.query<Pick<Counts, 'stages' | 'fromCache' | 'rounds'>>(
    `SELECT count(*)::integer AS stages,
       count(*) FILTER (WHERE from_cache)::integer AS "fromCache",
       count(*) FILTER (WHERE name LIKE '%/measure')::integer AS rounds
     FROM stage WHERE project_id = $1 AND job_id IS NOT NULL`,
    [projectId],
  )
  const { stages: total = 0, fromCache = 0, rounds = 0 } = stages.rows[0] ?? {}
  return {
    ...{ stages: total, fromCache, rounds },
    attempts: await countBy(pool, projectId, 'outcome'),
    lost: await countBy(pool, projectId, 'kind', `AND outcome = 'lost'`),
  }
}

async function countBy(
  pool: Pool,
  projectId: string,
  column: 'outcome' | 'kind',
  condition = '',
): Promise<Readonly<Record<string, number>>> {
  const { rows } = await pool.query<{ name: string; count: number }>(
    `SELECT ${column} AS name, count(*)::integer AS count FROM usage
     WHERE project_id = $1 AND job_id IS NOT NULL ${condition} GROUP BY 1 ORDER BY 2 DESC`,
    [projectId],
  )
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
}
