// A small job for tests: prepare → calibrate → quantize → report, on one model and one dataset.
import { createHash } from 'node:crypto'

import type { JobPlan } from '@pare/recipe'

import { type AcceptedJob, acceptJob } from './accept-job.js'
import { type ClaimedStage, claimStage } from './claim-stage.js'
import { type Pool, type Tx, withTransaction } from './db.js'
import { completeStage, type StageEnd } from './end-stage.js'
import type { NewJob } from './jobs.js'
import type { Doorbell, StageOutput, StageOutputs } from './plan.js'
import { ensureProject } from './projects.js'
import { datasets, models } from './uploads.js'

export interface TestProject {
  readonly projectId: string
  readonly modelId: string
  readonly datasetId: string
  readonly modelSha256: string
  readonly datasetSha256: string
}

let serial = 0

export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The output that a test stage makes: a blob named by the hash of the text. */
export function outputOf(text: string): StageOutput {
  return { sha256: sha256Of(text), sizeBytes: text.length, mediaType: 'application/octet-stream' }
}

/** A project with a model and a dataset whose inspections are queued. */
export async function createTestProject(pool: Pool): Promise<TestProject> {
  const project = await ensureProject(pool, `project ${++serial}`)
  const modelSha256 = sha256Of(`model ${serial}`)
  const datasetSha256 = sha256Of(`dataset ${serial}`)
  const common = { projectId: project.id, sizeBytes: 10, mediaType: 'application/octet-stream' }
  const inspection = { params: {}, engineVersion: 'test' }
  return withTransaction(pool, async (tx) => {
    const model = await models.create(tx, {
      ...common,
      name: 'model',
      sha256: modelSha256,
      inspection: { kind: 'inspect_model', ...inspection },
    })
    const dataset = await datasets.create(tx, {
      ...common,
      name: 'dataset',
      sha256: datasetSha256,
      inspection: { kind: 'inspect_dataset', ...inspection },
    })
    const ids = { modelId: model.upload.id, datasetId: dataset.upload.id }
    return { projectId: project.id, ...ids, modelSha256, datasetSha256 }
  })
}

export function testPlan(project: TestProject, seed = 0): JobPlan {
  const model = { blob: project.modelSha256 }
  return {
    basis: {},
    engineVersion: 'test',
    seed,
    isComplete: true,
    expectedStages: 4,
    stages: [
      { name: 'prepare', kind: 'prepare', params: {}, inputs: [{ role: 'model', from: model }] },
      {
        name: 'calibrate',
        kind: 'calibrate',
        params: { samples: 10 },
        inputs: [
          { role: 'model', from: { stage: 'prepare', role: 'model' } },
          { role: 'calibration', from: { blob: project.datasetSha256 } },
        ],
      },
      {
        name: 'quantize',
        kind: 'quantize_static',
        params: {},
        inputs: [
          { role: 'model', from: { stage: 'prepare', role: 'model' } },
          { role: 'statistics', from: { stage: 'calibrate', role: 'statistics' } },
        ],
      },
      {
        name: 'report',
        kind: 'report',
        params: {},
        inputs: [{ role: 'model', from: { stage: 'quantize', role: 'model' } }],
      },
    ],
    artifacts: [
      { stage: 'quantize', role: 'model', kind: 'model', name: 'model.onnx' },
      { stage: 'report', role: 'report', kind: 'report', name: 'report.json' },
    ],
  }
}

/** Two stages that need nothing of each other, and one that needs both. */
export function forkedPlan(project: TestProject, seed = 0): JobPlan {
  const plan = testPlan(project, seed)
  const model = { role: 'model', from: { blob: project.modelSha256 } }
  const join = (stage: string) => ({ role: stage, from: { stage, role: 'model' } })
  return {
    ...plan,
    stages: [
      { name: 'left', kind: 'prepare', params: { side: 'left' }, inputs: [model] },
      { name: 'right', kind: 'prepare', params: { side: 'right' }, inputs: [model] },
      { name: 'join', kind: 'report', params: {}, inputs: [join('left'), join('right')] },
    ],
    artifacts: [{ stage: 'join', role: 'report', kind: 'report', name: 'report.json' }],
  }
}

export function testJob(project: TestProject, change: Partial<NewJob> = {}): NewJob {
  return {
    projectId: project.projectId,
    modelId: project.modelId,
    datasetIds: { calibration: project.datasetId },
    request: { model: project.modelId, recipe: { steps: [{ type: 'quantize_static' }] } },
    plan: testPlan(project),
    ...change,
  }
}

export function acceptTestJob(
  pool: Pool,
  project: TestProject,
  change: Partial<NewJob> = {},
): Promise<AcceptedJob> {
  return withTransaction(pool, (tx) => acceptJob(tx, testJob(project, change)))
}

/** Claims a stage that must be claimable. */
export async function claim(
  pool: Pool,
  { stageId }: Pick<Doorbell, 'stageId'>,
  workerId = 'worker',
): Promise<ClaimedStage> {
  const request = { stageId, workerId, leaseMs: 60_000 }
  const result = await withTransaction(pool, (tx) => claimStage(tx, request))
  if (result.outcome !== 'claimed') throw new Error(`the claim is ${result.outcome}`)
  return result.claim
}

const ROLES: Readonly<Record<string, readonly string[]>> = {
  prepare: ['model'],
  calibrate: ['statistics'],
  quantize_static: ['model'],
  report: ['report'],
  inspect_model: ['canonical'],
  inspect_dataset: ['canonical'],
}

/** What a pure stage would give: blobs named by its key. */
export function outputsOf({ stage }: ClaimedStage): StageOutputs {
  const roles = ROLES[stage.kind] ?? []
  return Object.fromEntries(roles.map((role) => [role, outputOf(`${stage.key ?? ''} ${role}`)]))
}

export function complete(pool: Pool, claimed: ClaimedStage): Promise<StageEnd> {
  return withTransaction(pool, (tx: Tx) =>
    completeStage(tx, {
      stageId: claimed.stageId,
      token: claimed.token,
      outputs: outputsOf(claimed),
      metrics: { kind: claimed.stage.kind },
    }),
  )
}

/** Plays worker until no doorbell is left; gives the names of the stages that ran. */
export async function runAll(pool: Pool, ready: readonly Doorbell[]): Promise<readonly string[]> {
  const queue = [...ready]
  const ran: string[] = []
  for (let bell = queue.shift(); bell !== undefined; bell = queue.shift()) {
    const claimed = await claim(pool, bell)
    ran.push(claimed.stage.name)
    queue.push(...(await complete(pool, claimed)).ready)
  }
  return ran
}
