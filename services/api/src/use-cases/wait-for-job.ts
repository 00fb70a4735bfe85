// `Prefer: wait=n` (RFC 7240): the answer is held back until the job has ended or the time is up.
import { type Job as JobView, TERMINAL_JOB_STATES } from '@pare/contracts'

import type { ApiDeps } from '../deps.js'
import { watch } from '../events/event-hub.js'
import { viewJobById } from './submit-job.js'

const MAX_WAIT_SECONDS = 60

/** Seconds asked for, at most 60; null without a wait preference. */
export function parseWait(header: string | readonly string[] | undefined): number | null {
  const text = Array.isArray(header) ? header.join(',') : String(header ?? '')
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(text)?.[1]
  return seconds === undefined ? null : Math.min(Number(seconds), MAX_WAIT_SECONDS)
}

export async function waitForJob(
  { pool, events }: Pick<ApiDeps, 'pool' | 'events'>,
  owned: { readonly projectId: string; readonly id: string },
  seconds: number,
): Promise<JobView> {
  const deadline = performance.now() + seconds * 1000
  const signal = watch(events, owned.id)
  try {
    for (;;) {
      const job = await viewJobById(pool, owned)
      const leftMs = deadline - performance.now()
      if (isTerminal(job) || leftMs <= 0 || events.isClosing()) return job
      await signal.next(leftMs)
    }
  } finally {
    signal.close()
  }
}

function isTerminal({ state }: JobView): boolean {
  return (TERMINAL_JOB_STATES as readonly string[]).includes(state)
}
