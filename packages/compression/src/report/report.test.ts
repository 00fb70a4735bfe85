// What a report says of real jobs, and what its page makes of it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { renderReport, REPORT_POLICY } from './html/render-report.js'
import { leftOut } from './left-out.js'
import type { Report } from './report.js'
import { HOSTILE_NAME, type ReportedJob, reportedJob } from './testing.js'

let root: string
/** Quantized by histograms, in full. */
let integers: ReportedJob
/** Its weights packed, compared with the original alone. */
let weights: ReportedJob

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-report-'))
  integers = await reportedJob(root, {
    recipe: { steps: [{ type: 'quantize_static', calibration: { method: 'mse' } }] },
    seed: 5,
  })
  weights = await reportedJob(root, {
    recipe: { steps: [{ type: 'quantize_weights', bits: 2 }] },
    evaluation: { metric: 'fidelity' },
    constraints: { max_drop: 1 },
  })
})
afterAll(() => rm(root, { recursive: true, force: true }))

const sectionsOf = (page: string) => [...page.matchAll(/<section id="(\w+)">/g)].map(([, id]) => id)

describe('the report', () => {
  it('says of each layer what was decided and what was measured', () => {
    const { layers } = integers.report
    expect(layers.find(({ output }) => output === 'logits')).toMatchObject({
      opType: 'Gemm',
      decision: 'integer',
      scheme: expect.stringMatching(/^uint8 activations, int8 weights per channel/) as string,
      range: { input: { min: expect.any(Number) as number, max: expect.any(Number) as number } },
      sqnr_db: expect.any(Number) as number,
      saturation_risk: { channels: 0, of: 8 },
      kernel: 'QGemm',
      share_of_time: expect.any(Number) as number,
      time_us: { original: expect.any(Number) as number, result: expect.any(Number) as number },
    })
    const shares = layers.map((layer) => layer.share_of_time ?? 0)
    expect(shares.filter((share) => share > 0)).toHaveLength(layers.length)
    expect(shares.reduce((sum, share) => sum + share)).toBeLessThanOrEqual(1)
  })

  it('finds layers whose weights were packed and whose node is another', () => {
    const logits = weights.report.layers.find(({ output }) => output === 'logits')
    expect(logits).toMatchObject({
      decision: 'quantized',
      scheme: '2-bit weights, blocks of 32, rtn, MatMulNBits',
      kernel: 'MatMulNBits',
      share_of_time: expect.any(Number) as number,
    })
  })

  it('has sizes and times that add up', () => {
    const { op_types: rows, evaluation } = integers.report
    const sum = (read: (row: (typeof rows)[number]) => number) =>
      rows.reduce((total, row) => total + read(row), 0)
    expect(sum(({ original }) => original.time_share ?? 0)).toBeCloseTo(1)
    expect(sum(({ result }) => result.time_share ?? 0)).toBeCloseTo(1)
    expect(sum(({ original }) => original.bytes)).toBeLessThan(evaluation.original.size.bytes)
    expect(rows.find((row) => row.op_type === 'Conv')?.original).toMatchObject({
      count: 2,
      bytes: 4 * (16 * 27 + 32 * 144),
    })
  })

  it('draws what calibration saw beside the range that was chosen', () => {
    const rows = integers.report.ranges ?? []
    const pooled = rows.find(({ value }) => value === 'p')
    expect(pooled).toMatchObject({ type: 'uint8', non_finite: 0 })
    expect(pooled?.histogram?.counts.reduce((sum, n) => sum + n)).toBe(48 * 32)
    expect(pooled?.chosen?.max).toBeLessThanOrEqual(pooled?.observed?.max ?? 0)
    expect(weights.report.ranges).toBeUndefined()
  })

  it('speaks once of every layer that was left as it is, whoever found the reason', () => {
    const row = { node: 'n', opType: 'Conv', output: 'y', decision: 'float32' }
    const rows = [
      { ...row, reason: 'fewest_casts', message: 'its neighbours are float32' },
      { ...row, node: 'other', reason: 'weight_not_constant' },
      { ...row, node: 'narrow', decision: 'float16' },
    ] as unknown as Report['layers']
    const known = { severity: 'info', code: 'x', message: 'y', node: 'other' } as const
    expect(leftOut(rows, [known])).toEqual([
      {
        severity: 'info',
        code: 'fewest_casts',
        message: 'Conv n is left as it is: its neighbours are float32',
        node: 'n',
        opType: 'Conv',
      },
    ])
    for (const { report } of [integers, weights]) {
      const nodes = new Set(report.diagnostics.map(({ node }) => node))
      const left = report.layers.filter(({ reason }) => reason !== undefined)
      expect(left.every(({ node }) => nodes.has(node))).toBe(true)
    }
  })

  it('says how to repeat the job, defaults included', () => {
    const { reproduce } = integers.report
    expect(reproduce).toMatchObject({
      request: {
        recipe: { steps: [{ type: 'quantize_static', calibration: { method: 'mse' } }] },
        target: { device: 'cpu', threads: 1 },
        evaluation: { metric: 'top1' },
      },
      inputs: { model: 'original', calibration: 'data' },
      outputs: { model: 'result' },
      runtime: { name: 'onnxruntime' },
      threads: 1,
    })
    expect(reproduce.processor.instructionSets).toBeInstanceOf(Array)
  })
})

describe('the page', () => {
  it('has a section for everything that the report has', () => {
    const all = ['figures', 'accuracy', 'tried', 'sensitivity', 'operators', 'layers', 'ranges']
    expect(sectionsOf(integers.page)).toEqual([...all, 'data', 'diagnostics', 'reproduce'])
    const fewer = all.filter((id) => id !== 'tried' && id !== 'ranges')
    expect(sectionsOf(weights.page)).toEqual([...fewer, 'diagnostics', 'reproduce'])
  })

  it('says whether the constraints were met', () => {
    const constraint = { name: 'max_drop', limit: 0.01, measured: 0.02 } as const
    const failed = { ...weights.report, constraints: [{ ...constraint, met: false }] }
    expect(renderReport(failed)).toContain('constraint not met')
    expect(renderReport(failed)).toContain('The best candidate is kept')
    expect(weights.page).toContain('constraints met')
    expect(integers.page).toContain('no constraint set')
  })

  it('gives accuracy with its interval and what the paired test says', () => {
    expect(integers.page).toMatch(
      /McNemar’s exact paired test gives p = |nothing to tell them apart/,
    )
    expect(integers.page).toMatch(/95 % interval of the change:\s+−?[\d.]+ points to/)
  })

  it('shows names of a model and never obeys them', () => {
    for (const { page } of [integers, weights]) {
      const body = page.slice(page.indexOf('<body>'))
      expect(body).toContain('&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;')
      expect(body).not.toContain('\u202E')
      expect(page).not.toMatch(/<(script|img|iframe|object|embed|link|base|form)\b/i)
      // Outside of text every attribute is one of ours.
      expect(page).not.toMatch(/<[^>]*\s((on\w+|style|src)=|href="(?!#))/i)
    }
  })

  it('escapes whatever text the report has, wherever it is shown', () => {
    const page = renderReport(poison(integers.report) as Report)
    expect(page).not.toMatch(/<(script|img)\b/i)
    expect(page.match(/&lt;script&gt;/g)?.length).toBeGreaterThan(30)
  })

  it('has a policy that allows its own style sheet and nothing else', () => {
    expect(REPORT_POLICY).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+';/)
    const meta = `content="${REPORT_POLICY.replaceAll("'", '&#39;')}"`
    expect(integers.page).toContain(meta)
    expect(integers.page.match(/<style>/g)).toHaveLength(1)
    expect(integers.page).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  it('can be made of a report without any profile, memory or accuracy', () => {
    const { evaluation, ...rest } = integers.report
    const bare: Report = {
      ...rest,
      op_types: [],
      layers: [],
      diagnostics: [],
      evaluation: {
        ...evaluation,
        profile: null,
        layers: [],
        metrics: {
          mse: {
            original: { value: 0, interval: null },
            result: { value: 0.5, interval: null },
            difference: { low: 0.1, high: 0.9 },
            drop: null,
            drop_interval: null,
            p_value: 0.03,
            test: 'paired_t',
          },
        },
        primary: {
          ...evaluation.primary,
          name: 'mse',
          original: 0,
          result: 0.5,
          drop: null,
          drop_interval: null,
        },
        original: { ...evaluation.original, memory: null },
      },
    }
    const page = renderReport(bare)
    expect(page).toContain('the change is real')
    expect(page).not.toMatch(/NaN|undefined|\[object/)
  })

  it('shows no figure that is none', () => {
    for (const { page } of [integers, weights]) expect(page).not.toMatch(/NaN|undefined|\[object/)
  })
})

/** The same report with markup in every text. */
function poison(value: unknown): unknown {
  if (typeof value === 'string') return `${value}${HOSTILE_NAME}`
  if (Array.isArray(value)) return value.map(poison)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, poison(item)]))
}
