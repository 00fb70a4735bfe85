import type { JobEvent as JobEventView } from '@pare/contracts'
import type { JobEvent } from '@pare/database'

export function viewEvent(event: JobEvent): JobEventView {
  const { seq, type, jobId, createdAt, data } = event
  return { seq, type, job: jobId, created_at: createdAt.toISOString(), data }
}
