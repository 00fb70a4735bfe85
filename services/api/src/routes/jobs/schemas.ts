import {
  Artifact,
  Job,
  JOB_STATES,
  JobCreate,
  JobEvent,
  JobOverrides,
  JobPreview,
  pageOf,
  ref,
  Report,
  Stage,
} from '@pare/contracts'
import { Type } from 'typebox'

import {
  commonProblems,
  IdempotencyHeaders,
  IdParams,
  Nothing,
  pageQuery,
  problems,
} from '../responses.js'

const tags = ['jobs']

const waitHeader = {
  prefer: Type.Optional(
    Type.String({
      description: 'wait=n: answer when the job has ended, after n seconds (at most 60) at latest',
    }),
  ),
}

export const createJobSchema = {
  tags,
  summary: 'Submit a job',
  description:
    'The request is checked against model and datasets before it is accepted. With validate_only nothing is accepted and the plan is answered (200). The client_job_id of an equal request gives the job that is there (200).',
  headers: Type.Object(
    { ...IdempotencyHeaders.properties, ...waitHeader },
    { additionalProperties: true },
  ),
  body: JobCreate,
  response: {
    200: Type.Union([ref(Job), ref(JobPreview)]),
    201: ref(Job),
    ...commonProblems,
    ...problems(404, 409, 413, 415, 422),
  },
}

export const listJobsSchema = {
  tags,
  summary: 'List jobs, newest first',
  querystring: Type.Object(
    {
      ...pageQuery({
        state: Type.Optional(
          Type.String({
            pattern: `^(${JOB_STATES.join('|')})(,(${JOB_STATES.join('|')}))*$`,
            description: 'One state or several, separated by commas',
          }),
        ),
        model: Type.Optional(Type.String()),
        parent_job: Type.Optional(Type.String()),
        client_job_id: Type.Optional(Type.String()),
        created_after: Type.Optional(
          Type.String({ format: 'date-time', description: 'This time or later' }),
        ),
        created_before: Type.Optional(Type.String({ format: 'date-time' })),
      }).properties,
    },
    {
      additionalProperties: false,
      patternProperties: { '^label\\..+$': { type: 'string' } },
      description: 'label.NAME=VALUE filters by label; several must all hold',
    },
  ),
  response: { 200: pageOf(Job), ...commonProblems },
}

export const getJobSchema = {
  tags,
  summary: 'Get a job',
  params: IdParams,
  headers: Type.Object(waitHeader, { additionalProperties: true }),
  response: { 200: ref(Job), ...commonProblems, ...problems(404) },
}

export const cancelJobSchema = {
  tags,
  summary: 'Cancel a job that has not ended',
  params: IdParams,
  headers: IdempotencyHeaders,
  response: { 200: ref(Job), ...commonProblems, ...problems(404, 409, 422) },
}

export const retryJobSchema = {
  tags,
  summary: 'Submit a job that failed, expired or was canceled again',
  description: 'Makes a new job; stages that the old one finished come from the cache.',
  params: IdParams,
  headers: IdempotencyHeaders,
  response: { 201: ref(Job), ...commonProblems, ...problems(404, 409, 422) },
}

export const cloneJobSchema = {
  tags,
  summary: 'Submit a job like another one, with changes',
  params: IdParams,
  headers: IdempotencyHeaders,
  body: JobOverrides,
  response: {
    200: ref(Job),
    201: ref(Job),
    ...commonProblems,
    ...problems(404, 409, 413, 415, 422),
  },
}

export const listStagesSchema = {
  tags,
  summary: 'The stages of a job, in the order of its plan',
  params: IdParams,
  response: { 200: pageOf(Stage), ...commonProblems, ...problems(404) },
}

export const listArtifactsSchema = {
  tags,
  summary: 'The files that a job produced',
  params: IdParams,
  response: { 200: pageOf(Artifact), ...commonProblems, ...problems(404) },
}

export const getReportSchema = {
  tags,
  summary: 'The report of a job',
  description:
    'With Accept: text/html the page for people, as at report.html. Both are also among the artifacts.',
  params: IdParams,
  response: {
    200: {
      description: 'The report; with Accept: text/html a page',
      content: {
        'application/json': { schema: ref(Report) },
        'text/html': { schema: Type.String() },
      },
    },
    ...commonProblems,
    ...problems(404, 409),
  },
}

export const getReportPageSchema = {
  tags,
  summary: 'The report of a job as a page for people',
  description:
    'One file with its charts, without scripts, that loads nothing from anywhere: save it and open it in a browser.',
  params: IdParams,
  response: {
    200: { description: 'The page', content: { 'text/html': { schema: Type.String() } } },
    ...commonProblems,
    ...problems(404, 409),
  },
}

export const listEventsSchema = {
  tags,
  summary: 'The events of a job, oldest first',
  description:
    'With Accept: text/event-stream a stream that starts after Last-Event-ID (or ?after=) and ends with the job; 204 when the job has ended and nothing is left to send. A stream carries event: server_shutdown when the server stops: connect again.',
  params: IdParams,
  querystring: Type.Object(
    {
      after: Type.Optional(Type.Integer({ minimum: 0, description: 'Events with a higher seq' })),
      cursor: Type.Optional(
        Type.Integer({ minimum: 0, description: 'next_cursor of the page before; same as after' }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, default: 50 })),
    },
    { additionalProperties: false },
  ),
  headers: Type.Object(
    { 'last-event-id': Type.Optional(Type.String()) },
    { additionalProperties: true },
  ),
  response: {
    200: {
      description: 'A page; with Accept: text/event-stream the stream',
      content: {
        'application/json': { schema: pageOf(JobEvent) },
        'text/event-stream': { schema: Type.String() },
      },
    },
    204: Nothing,
    ...commonProblems,
    ...problems(404),
  },
}
