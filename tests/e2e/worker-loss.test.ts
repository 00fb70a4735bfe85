// Workers that die or freeze: PostgreSQL knows who has a stage, and only the last one commits it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { Cluster, type Tenant } from './harness/cluster.js'
import { Gates } from './harness/gates.js'
import { findBreaches } from './harness/invariants.js'
import { dynamicJob, staticJob, submit, uploadExamples, type Uploads } from './harness/jobs.js'
import { findLeftovers } from './harness/leftovers.js'
import { until } from './harness/until.js'

let cluster: Cluster
let gates: Gates

beforeAll(async () => {
  cluster = await Cluster.start({ apis: 1, workers: 2 })
  gates = await Gates.build(cluster.database.pool)
})
afterAll(async () => {
  await gates.dispose()
  await cluster.close()
})

/** `computing`: as soon as it runs. `committing`: its outputs are stored, its result is not. */
type Moment = 'computing' | 'committing'

async function killWorkerIn(tenant: Tenant, kind: string, moment: Moment): Promise<void> {
  const gate = `stage_result ${kind}`
  const worker = await cluster.untilRuns(tenant.projectId, kind)
  if (moment === 'committing') await gates.untilReached(gate)
  await cluster.replaceWorker(worker)
  await gates.open(gate)
}

async function closeGates(kinds: readonly string[]): Promise<void> {
  for (const kind of kinds) await gates.close(`stage_result ${kind}`)
}

/** Attempts lost with their worker, by stage. */
async function countLost(projectId: string): Promise<Readonly<Record<string, number>>> {
  const { rows } = await cluster.database.pool.query<{ kind: string; lost: number }>(
    `SELECT kind, count(*) FILTER (WHERE outcome = 'lost')::integer AS lost FROM usage
     WHERE project_id = $1 GROUP BY kind`,
    [projectId],
  )
  return Object.fromEntries(rows.map(({ kind, lost }) => [kind, lost]))
}

describe('two workers on one database', () => {
  it('finish a job although one of them is killed in the middle of every stage', async () => {
    const tenant = await cluster.tenant()
    const { client } = tenant
    const inspections = ['inspect_model', 'inspect_dataset']
    const moments: readonly (readonly [string, Moment])[] = [
      ['prepare', 'committing'],
      ['calibrate', 'computing'],
      ['quantize_static', 'computing'],
      ['evaluate', 'computing'],
      ['report', 'committing'],
    ]
    await closeGates([...inspections, ...moments.map(([kind]) => kind)])
    const model = await client.upload('models', 'fashion-resnet.onnx')
    await killWorkerIn(tenant, 'inspect_model', 'computing')
    const dataset = await client.upload('datasets', 'fashion-calibration.npz')
    await killWorkerIn(tenant, 'inspect_dataset', 'committing')
    await client.untilReady('models', model.id)
    await client.untilReady('datasets', dataset.id)

    const job = await submit(client, staticJob({ model: model.id, dataset: dataset.id }))
    for (const [kind, moment] of moments) await killWorkerIn(tenant, kind, moment)
    const ended = await client.untilEnded(job.id)
    expect(ended.error).toBeNull()
    expect(ended.state).toBe('succeeded')
    const lost = await countLost(tenant.projectId)
    expect(Object.keys(lost)).toHaveLength(7)
    for (const [kind, count] of Object.entries(lost))
      expect([kind, count > 0]).toEqual([kind, true])
    expect(await findBreaches(cluster, tenant)).toEqual([])
  }, 240_000)

  describe('with everything uploaded', () => {
    let tenant: Tenant
    let uploads: Uploads
    beforeAll(async () => {
      tenant = await cluster.tenant()
      uploads = await uploadExamples(tenant.client)
    })

    it('finish a dynamic quantization although its worker is killed in the middle', async () => {
      await closeGates(['quantize_dynamic'])
      const job = await submit(tenant.client, dynamicJob(uploads))
      await killWorkerIn(tenant, 'quantize_dynamic', 'computing')
      expect((await tenant.client.untilEnded(job.id)).state).toBe('succeeded')
      const { quantize_dynamic: lost } = await countLost(tenant.projectId)
      expect(lost).toBeGreaterThan(0)
      expect(await findBreaches(cluster, tenant)).toEqual([])
    }, 120_000)

    // Frozen while it commits it holds the locks of its stage, until the database cuts it off.
    it.each<Moment>(['computing', 'committing'])(
      'refuse what a worker that was frozen while %s writes after another one took its stage',
      async (moment) => {
        await closeGates(['calibrate'])
        const job = await submit(tenant.client, staticJob(uploads, moment.length))
        const zombie = await cluster.untilRuns(tenant.projectId, 'calibrate')
        if (moment === 'committing') await gates.untilReached('stage_result calibrate')
        zombie.signal('SIGSTOP')
        await gates.open('stage_result calibrate')
        expect((await tenant.client.untilEnded(job.id)).state).toBe('succeeded')

        zombie.signal('SIGCONT')
        await until('the frozen worker to give up its stage', () =>
          zombie.log.some(
            ({ msg, outcome, jobId }) =>
              msg === 'stage ended' && outcome === 'dropped' && jobId === job.id,
          ),
        )
        const { rows } = await cluster.database.pool.query(
          `SELECT attempt, outcome FROM usage WHERE job_id = $1 AND kind = 'calibrate' ORDER BY 1`,
          [job.id],
        )
        expect(rows).toEqual([
          { attempt: 1, outcome: 'lost' },
          { attempt: 2, outcome: 'succeeded' },
        ])
        expect(await findBreaches(cluster, tenant)).toEqual([])
      },
      120_000,
    )
  })

  it('leave nothing behind when all has stopped', async () => {
    const codes = await cluster.stopServices()
    expect(new Set(codes)).toEqual(new Set([0]))
    expect(await findLeftovers(cluster)).toEqual([])
  })
})
