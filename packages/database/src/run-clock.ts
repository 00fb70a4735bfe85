// A job's run clock: wall time in which at least one of its stages runs. Waiting for a worker, a
// device or a back-off costs the job nothing, so `max_run_seconds` limits work, not load.
import type { Tx } from './db.js'

/**
 * Starts the clock when the job's first stage runs and stops it when none does; the deadline exists
 * while it goes. The caller has locked the job and changed the stage. A worker that was lost is
 * counted for as long as its lease ran (`silentSince`), however late that is noticed.
 */
export async function updateRunClock(
  tx: Tx,
  { jobId, silentSince }: { readonly jobId: string; readonly silentSince: Date | null },
): Promise<void> {
  await tx.query(
    `WITH stages AS (
       SELECT coalesce(bool_or(state = 'running'), false) AS running,
         max(finished_at) FILTER (WHERE NOT from_cache) AS last_end
       FROM stage WHERE job_id = $1
     ), moment AS (
       SELECT clock_timestamp() AS now,
         CASE WHEN $2::timestamptz IS NULL THEN clock_timestamp()
           ELSE least(clock_timestamp(), greatest($2::timestamptz, last_end)) END AS stopped
       FROM stages
     )
     UPDATE job SET
       run_ms = CASE WHEN stages.running THEN run_ms ELSE run_ms
         + greatest(0, round(extract(epoch FROM moment.stopped - running_since) * 1000)) END,
       running_since = CASE WHEN stages.running THEN moment.now END,
       run_deadline_at = CASE WHEN stages.running
         THEN moment.now + (max_run_seconds * 1000 - run_ms) * interval '1 ms' END
     FROM stages, moment
     WHERE id = $1 AND stages.running <> (running_since IS NOT NULL)`,
    [jobId, silentSince],
  )
}
