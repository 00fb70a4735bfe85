import { CodedError } from '@pare/errors'
import {
  type FinishedStage,
  type JobPlan,
  parseJobRequest,
  STEP_TABLE,
  toJsonObject,
} from '@pare/recipe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { growPlan } from './grow-plan.js'
import { planJob } from './plan-job.js'
import { dataset, MODEL } from './testing.js'

const REPEAT = { type: 'repeat', steps: [{ type: 'prune_weights' }], max_rounds: 4 }

function planOf(steps: readonly object[], body: object = {}): JobPlan {
  const request = parseJobRequest({
    model: 'mdl_1',
    recipe: { steps },
    constraints: { max_drop: 0.01 },
    ...body,
  })
  return planJob(request, { model: MODEL, datasets: { calibration: dataset() } })
}

/** Ends every stage of the plan, `measure` with these drops in turn, until it does not grow. */
function playOut(first: JobPlan, drops: readonly (number | null)[]): readonly JobPlan[] {
  const plans = [first]
  let plan = first
  while (!plan.isComplete) {
    plan = growPlan(plan, finishedOf(plan, drops))
    plans.push(plan)
  }
  return plans
}

function finishedOf({ stages }: JobPlan, drops: readonly (number | null)[]): FinishedStage[] {
  let round = 0
  return stages.map(({ name, kind }) => ({
    name,
    metrics: kind === 'measure' ? { drop: drops[round++] ?? null } : {},
  }))
}

const namesOf = ({ stages }: JobPlan) => stages.map(({ name }) => name)
const modelOf = ({ artifacts }: JobPlan) => artifacts.find(({ kind }) => kind === 'model')?.stage

describe('a plan of several steps', () => {
  it('is complete at once where nothing is decided from metrics', () => {
    const plan = planOf([{ type: 'prune_weights' }, { type: 'quantize_static' }])
    expect(plan.isComplete).toBe(true)
    expect(namesOf(plan)).toEqual([
      'prepare',
      '1-prune_weights',
      '1-measure',
      '2-calibrate',
      '2-quantize_static',
      'evaluate',
      'report',
    ])
    expect(plan.expectedStages).toBe(plan.stages.length)
  })

  it('hands the model of each step to the next', () => {
    const { stages } = planOf([{ type: 'prune_weights' }, { type: 'quantize_static' }])
    const quantize = stages.find(({ kind }) => kind === 'quantize_static')
    const model = { role: 'model', from: { stage: '1-prune_weights', role: 'model' } }
    expect(quantize?.inputs).toContainEqual(model)
  })

  it('judges behind each step where the request asks for that, and measures sizes anyway', () => {
    const measureOf = (body: object) =>
      planOf([{ type: 'prune_weights' }, { type: 'convert_float16' }], body).stages.find(
        ({ kind }) => kind === 'measure',
      )?.params
    expect(measureOf({})).toMatchObject({ judges: false, times: false })
    const asked = measureOf({ evaluation: { each_step: true } })
    expect(asked).toMatchObject({ judges: true, times: true })
  })
})

describe('repeat', () => {
  it('knows one round until that has been measured', () => {
    const plan = planOf([REPEAT])
    expect(plan).toMatchObject({ isComplete: false, artifacts: [] })
    expect(namesOf(plan)).toEqual(['prepare', '1/1-prune_weights', '1/measure'])
    // prepare, four rounds of two stages, evaluate and report.
    expect(plan.expectedStages).toBe(11)
  })

  it('delivers the last round that held', () => {
    const plans = playOut(planOf([REPEAT]), [0.001, 0.005, 0.02])
    const last = plans.at(-1)!
    expect(namesOf(last)).toEqual([
      'prepare',
      ...['1/1-prune_weights', '1/measure', '2/1-prune_weights', '2/measure'],
      ...['3/1-prune_weights', '3/measure', 'evaluate', 'report'],
    ])
    expect(modelOf(last)).toBe('2/1-prune_weights')
    const report = last.stages.at(-1)!
    expect(report.params['steps']).toMatchObject([
      { label: '1/1-prune_weights', kept: true },
      { label: '2/1-prune_weights', kept: true },
      { label: '3/1-prune_weights', kept: false },
    ])
  })

  it('goes on from the last round that held, further along the range', () => {
    const last = playOut(planOf([REPEAT]), [0, 0, 0, 0]).at(-1)!
    const pruned = last.stages.filter(({ kind }) => kind === 'prune_weights')
    expect(pruned.map(({ params }) => params['sparsity'])).toEqual([
      0.3,
      expect.closeTo(0.516667, 6),
      expect.closeTo(0.733333, 6),
      0.95,
    ])
    expect(pruned.map(({ inputs }) => inputs[0]?.from)).toEqual(
      ['prepare', '1/1-prune_weights', '2/1-prune_weights', '3/1-prune_weights'].map((stage) => ({
        stage,
        role: 'model',
      })),
    )
    expect(modelOf(last)).toBe('4/1-prune_weights')
  })

  it('measures behind every step of a round where the request asks for that', () => {
    const steps = [{ type: 'prune_weights' }, { type: 'prune_weights', pattern: '4:8' }]
    const repeat = { type: 'repeat', steps, max_rounds: 2 }
    expect(namesOf(planOf([repeat]))).not.toContain('1/1-measure')
    const asked = planOf([repeat], { evaluation: { each_step: true } })
    expect(namesOf(asked)).toEqual([
      'prepare',
      ...['1/1-prune_weights', '1/1-measure', '1/2-prune_weights', '1/measure'],
    ])
  })

  it('delivers the first round where not even that held: the best there is', () => {
    const last = playOut(planOf([REPEAT]), [0.5]).at(-1)!
    expect(modelOf(last)).toBe('1/1-prune_weights')
  })

  it('delivers what an earlier step left where the first round did not hold', () => {
    const last = playOut(planOf([REPEAT, { ...REPEAT, max_rounds: 2 }]), [0, 0.5, 0.5]).at(-1)!
    expect(modelOf(last)).toBe('1/1-prune_weights')
    expect(last.stages.at(-1)!.params['steps']).toMatchObject([
      { label: '1/1-prune_weights', kept: true },
      { label: '2/1-prune_weights', kept: false },
      { label: '3/1-prune_weights', kept: false },
    ])
  })

  it.each([null, NaN, 'none', undefined])(
    'takes a drop of %j for one that does not hold',
    (drop) => {
      const plan = planOf([REPEAT])
      const finished = finishedOf(plan, [0]).map((stage) =>
        stage.name === '1/measure' ? { ...stage, metrics: toJsonObject({ drop }) } : stage,
      )
      const grown = growPlan(plan, finished)
      expect(grown.isComplete).toBe(true)
      expect(modelOf(grown)).toBe('1/1-prune_weights')
    },
  )

  it('stands before other steps, and counts rounds on where there are two', () => {
    const steps = [REPEAT, { ...REPEAT, max_rounds: 2 }, { type: 'quantize_static' }]
    const last = playOut(planOf(steps), [0, 0.5, 0, 0]).at(-1)!
    expect(namesOf(last)).toContain('4/1-prune_weights')
    expect(namesOf(last).slice(-4)).toEqual([
      '3-calibrate',
      '3-quantize_static',
      'evaluate',
      'report',
    ])
    const calibrate = last.stages.find(({ kind }) => kind === 'calibrate')
    const model = { role: 'model', from: { stage: '4/1-prune_weights', role: 'model' } }
    expect(calibrate?.inputs).toContainEqual(model)
  })

  it('only grows, expects no more than before, and names no stage twice, whatever is measured', () => {
    const drop = fc.oneof(fc.constantFrom(0, 0.01, 0.02, null), fc.double({ min: -1, max: 1 }))
    fc.assert(
      fc.property(fc.array(drop, { maxLength: 12 }), fc.nat({ max: 5 }), (drops, more) => {
        const steps = [{ ...REPEAT, max_rounds: more + 1 }, { type: 'quantize_dynamic' }]
        const plans = playOut(planOf(steps), drops)
        for (const [at, plan] of plans.entries()) {
          const before = plans[at - 1]
          expect(new Set(namesOf(plan)).size).toBe(plan.stages.length)
          expect(plan.stages.length).toBeLessThanOrEqual(plan.expectedStages)
          if (before === undefined) continue
          expect(plan.stages.slice(0, before.stages.length)).toEqual(before.stages)
          expect(plan.expectedStages).toBeLessThanOrEqual(before.expectedStages)
        }
      }),
    )
  })
})

describe('growPlan', () => {
  it('makes the plan anew from its basis: another request of the same gives the same stages', () => {
    const plan = planOf([REPEAT])
    const stored = JSON.parse(JSON.stringify(plan)) as JobPlan
    expect(growPlan({ ...stored, stages: [] }, [])).toEqual(plan)
  })

  it('refuses to go on with a plan that another planner made', () => {
    const plan = planOf([REPEAT])
    const [first, ...rest] = plan.stages
    const other = { ...plan, stages: [{ ...first!, name: 'warm_up' }, ...rest] }
    expect(() => growPlan(other, finishedOf(other, [0]))).toThrow(CodedError)
  })

  it('keeps the engine version of the plan that it goes on with', () => {
    const plan = { ...planOf([REPEAT]), engineVersion: '0.0.1' }
    expect(growPlan(plan, finishedOf(plan, [0])).engineVersion).toBe('0.0.1')
  })

  it('plans every step of the language', () => {
    for (const type of Object.keys(STEP_TABLE)) {
      const step = type === 'repeat' ? REPEAT : { type }
      expect(playOut(planOf([step]), [0, 0, 0, 0]).at(-1)?.isComplete, type).toBe(true)
    }
  })
})
