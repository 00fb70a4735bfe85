// Recipes of several steps, through all their stages: what one step made, the next must keep.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { type ReportedJob, reportedJob } from '../report/testing.js'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-recipes-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const PRUNE = { type: 'prune_weights', sparsity: 0.6 }

function job(steps: readonly object[], body: object = {}): Promise<ReportedJob> {
  return reportedJob(root, { recipe: { steps }, ...body })
}

describe('prune_weights before', () => {
  it.each([
    ['quantize_static', {}, 0.4],
    ['quantize_weights', { bits: 8 }, 0.4],
    ['convert_float16', {}, 0.6],
  ])('%s: zeros stay zero, and every step has its sizes', async (type, parameters, size) => {
    const { report, page } = await job([PRUNE, { type, ...parameters }])
    const [pruned, narrowed] = report.steps
    expect(report.steps.map(({ label }) => label)).toEqual(['1-prune_weights', `2-${type}`])
    expect(pruned!.sparsity).toBeCloseTo(0.6, 2)
    expect(narrowed!.sparsity).toBeGreaterThanOrEqual(pruned!.sparsity! - 1e-6)
    // Zeros make no file smaller by themselves, but one that is compressed.
    expect(pruned!.size!.ratio).toBeCloseTo(1, 1)
    expect(pruned!.size!.gzip_ratio).toBeLessThan(0.75)
    expect(narrowed!.size!.ratio).toBeLessThan(size)
    expect(narrowed!.size!.gzip_ratio).toBeLessThan(pruned!.size!.gzip_ratio)
    expect(narrowed!.primary).toEqual(report.evaluation.primary)
    expect(pruned!.primary).toBeNull()
    expect(new Set(report.layers.map(({ step }) => step))).toEqual(
      new Set(['1-prune_weights', `2-${type}`]),
    )
    expect(page).toContain('id="steps"')
  })

  it('another step is judged and timed after each where the request asks for it', async () => {
    const evaluation = { metric: 'fidelity', each_step: true }
    const { report } = await job([PRUNE, { type: 'quantize_dynamic' }], { evaluation })
    expect(report.steps[0]!.primary).toMatchObject({ name: 'fidelity' })
    expect(report.steps[0]!.latency!.p50_ms).toBeGreaterThan(0)
  })
})

describe('cluster_weights', () => {
  it('after prune_weights keeps the zeros, and what is left compresses better', async () => {
    const { report, page } = await job([PRUNE, { type: 'cluster_weights' }])
    const [pruned, clustered] = report.steps
    expect(report.steps.map(({ label }) => label)).toEqual(['1-prune_weights', '2-cluster_weights'])
    expect(clustered!.sparsity).toBe(pruned!.sparsity)
    expect(clustered!.size!.ratio).toBeCloseTo(1, 1)
    expect(clustered!.size!.gzip_ratio).toBeLessThan(pruned!.size!.gzip_ratio * 0.6)
    expect(clustered!.primary).toEqual(report.evaluation.primary)
    const own = report.layers.filter(({ step }) => step === '2-cluster_weights')
    expect(own.map(({ decision, scheme }) => [decision, scheme])).toEqual(
      own.map(() => ['clustered', 'clustered']),
    )
    expect(page).toContain('clusters 16')
  })

  it('is refused behind a step whose weights are narrow, with the order that works', async () => {
    const steps = [{ type: 'quantize_dynamic' }, { type: 'cluster_weights' }]
    await expect(job(steps)).rejects.toThrow(/put cluster_weights before quantize_dynamic/)
  })
})

describe('repeat', () => {
  const REPEAT = { type: 'repeat', steps: [{ type: 'prune_weights' }], max_rounds: 5 }

  it('prunes on while the constraint holds, and delivers the last that held', async () => {
    const { report, result } = await job([REPEAT], {
      evaluation: { metric: 'fidelity' },
      constraints: { max_drop: 0.25 },
    })
    expect(result.failure).toBeUndefined()
    const held = report.steps.filter(({ kept }) => kept)
    const broken = report.steps.filter(({ kept }) => !kept)
    expect(held.length).toBeGreaterThan(0)
    expect(broken).toHaveLength(1)
    expect(broken[0]!.primary!.drop).toBeGreaterThan(0.25)
    expect(report.evaluation.primary.drop).toBe(held.at(-1)!.primary!.drop)
    expect(report.evaluation.primary.drop).toBeLessThanOrEqual(0.25)
    const sparsities = report.steps.map(({ parameters }) => parameters['sparsity'] as number)
    expect(sparsities).toEqual([...sparsities].sort((a, b) => a - b))
    expect(report.evaluation.result.sparsity).toBeCloseTo(held.at(-1)!.sparsity!, 6)
  })

  it('says so where not even the first round held, and keeps it', async () => {
    const harsh = { type: 'prune_weights', sparsity: { from: 0.98, to: 0.99 } }
    const { report, result } = await job([{ ...REPEAT, steps: [harsh] }], {
      evaluation: { metric: 'fidelity' },
      constraints: { max_drop: 0.01 },
    })
    expect(result.failure).toMatchObject({ code: 'constraint_unmet' })
    expect(report.steps).toHaveLength(1)
  })
})

it('the same recipe gives the same bytes', async () => {
  const steps = [PRUNE, { type: 'quantize_static' }]
  const [first, second] = [await job(steps), await job(steps)]
  expect(first.report.lineage['result']).toBe(second.report.lineage['result'])
  expect((await readFile(first.pagePath)).length).toBeGreaterThan(0)
})
