import type { JobFilter, JobState } from '@pare/database'

/** The query of `GET /v1/jobs` after its schema has checked it. */
export interface JobQuery {
  readonly state?: string
  readonly model?: string
  readonly parent_job?: string
  readonly client_job_id?: string
  readonly created_after?: string
  readonly created_before?: string
}

const LABEL = 'label.'

export function filterOf(query: JobQuery): Omit<JobFilter, 'projectId'> {
  const labels = Object.entries(query)
    .filter(([name]) => name.startsWith(LABEL))
    .map(([name, value]): [string, string] => [name.slice(LABEL.length), String(value)])
  return {
    states: query.state === undefined ? undefined : statesOf(query.state),
    labels: labels.length === 0 ? undefined : Object.fromEntries(labels),
    modelId: query.model,
    parentJobId: query.parent_job,
    clientJobId: query.client_job_id,
    createdFrom: dateOf(query.created_after),
    createdBefore: dateOf(query.created_before),
  }
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

/** The schema's pattern admits nothing but states. */
function statesOf(text: string): readonly JobState[] {
  return text.split(',') as JobState[]
}
