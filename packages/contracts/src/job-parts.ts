// What hangs below a job: stages, events, artifacts.
import { DEVICES } from '@pare/recipe'
import { type Static, Type } from 'typebox'

import { StageSummary } from './job.js'
import { Problem } from './problem.js'
import { AnyObject, idOf, nullable, ref, Sha256, Timestamp, words } from './schema.js'

const StageBlob = Type.Object({
  role: Type.String(),
  sha256: Sha256,
  size_bytes: Type.Optional(Type.Integer()),
  media_type: Type.Optional(Type.String()),
})

export const Stage = Type.Object(
  {
    id: idOf('stg'),
    ...StageSummary.properties,
    device: words(DEVICES, { description: 'Where it runs; part of the key' }),
    key: nullable(
      Type.String({ description: 'SHA-256 of all that the result depends on; null until known' }),
    ),
    params: AnyObject,
    seed: Type.Integer(),
    engine_version: Type.String(),
    inputs: nullable(Type.Array(StageBlob)),
    outputs: nullable(Type.Array(StageBlob)),
    progress: nullable(AnyObject),
    metrics: nullable(AnyObject),
    error: nullable(ref(Problem)),
    created_at: Timestamp,
    queued_at: nullable(Timestamp),
    started_at: nullable(Timestamp),
    finished_at: nullable(Timestamp),
    run_seconds: nullable(Type.Number()),
  },
  { $id: 'Stage', description: 'One unit of work of a job' },
)
export type Stage = Static<typeof Stage>

export const JobEvent = Type.Object(
  {
    seq: Type.Integer({ minimum: 1, description: '1, 2, 3, … in each job, without a gap' }),
    type: Type.String({ examples: ['job.succeeded'] }),
    job: idOf('job'),
    created_at: Timestamp,
    data: AnyObject,
  },
  { $id: 'JobEvent' },
)
export type JobEvent = Static<typeof JobEvent>

export const Artifact = Type.Object(
  {
    id: idOf('art'),
    job: idOf('job'),
    kind: Type.String({ examples: ['model', 'report'] }),
    name: Type.String(),
    sha256: Sha256,
    size_bytes: Type.Integer({ minimum: 0 }),
    media_type: Type.String(),
    created_at: Timestamp,
    links: Type.Object({ content: Type.String() }),
  },
  { $id: 'Artifact', description: 'A file that a job produced' },
)
export type Artifact = Static<typeof Artifact>

export const Report = Type.Unsafe<Readonly<Record<string, unknown>>>({
  ...AnyObject,
  $id: 'Report',
  description:
    'Measurements and decisions of a job, as in its report.json (docs/report.md), with `stages`: how each result was come by',
})
