import { isDeepStrictEqual } from 'node:util'

import { CodedError } from '@pare/errors'
import { parseJobRequest, type RequestFault } from '@pare/recipe'
import { describe, expect, it } from 'vitest'

import type { PlanInputs } from './plan-basis.js'
import { planJob } from './plan-job.js'
import { dataset, MODEL } from './testing.js'

function plan(body: object, datasets: PlanInputs['datasets'], model = MODEL) {
  const request = parseJobRequest({
    model: 'mdl_1',
    recipe: { steps: [{ type: 'quantize_static' }] },
    ...body,
  })
  return planJob(request, { model, datasets })
}

function faultPointer(act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    if (error instanceof CodedError) return (error.details['errors'] as RequestFault[])[0]?.pointer
    throw error
  }
  return undefined
}

const BOTH = { calibration: dataset(), validation: { ...dataset(), sha256: 'v'.repeat(64) } }

describe('planJob', () => {
  it('lists every stage after the stages it takes inputs from', () => {
    const { stages } = plan({}, BOTH)
    const known = new Set<string>()
    for (const stage of stages) {
      for (const { from } of stage.inputs) if ('stage' in from) expect(known).toContain(from.stage)
      known.add(stage.name)
    }
    expect([...known]).toEqual([
      'prepare',
      '1-calibrate',
      '1-quantize_static',
      'evaluate',
      'report',
    ])
  })

  it('keeps constraints out of the stages that do not depend on them, so that they are shared', () => {
    const strict = plan({ constraints: { max_drop: 0.001 } }, BOTH).stages
    const loose = plan({ constraints: { max_drop: 0.1 } }, BOTH).stages
    const shared = strict.filter((stage, i) => isDeepStrictEqual(stage, loose[i]))
    expect(shared.map(({ name }) => name)).toEqual(['prepare', '1-calibrate', 'evaluate'])
  })

  it('asks for the device of the target where a stage runs models, and for none elsewhere', () => {
    const devices = plan({ target: { device: 'cuda' } }, BOTH).stages.map(({ device }) => device)
    expect(devices).toEqual([undefined, 'cuda', 'cuda', 'cuda', undefined])
    expect(plan({}, BOTH).stages.some(({ device }) => device !== undefined)).toBe(false)
  })

  it('lets the step judge on the same data as the job when the drop is limited', () => {
    const stage = plan({ constraints: { max_drop: 0.001 } }, BOTH).stages[2]!
    expect(stage.params['judging']).toMatchObject({ metric: 'top1', max_drop: 0.001 })
    expect(stage.inputs).toContainEqual({ role: 'data', from: { blob: 'v'.repeat(64) } })
    expect(plan({}, BOTH).stages[2]!.params).not.toHaveProperty('judging')
  })

  it('judges by top1 where the data has classes, else by fidelity', () => {
    const metricOf = (datasets: PlanInputs['datasets']) =>
      plan({}, datasets).stages.find(({ kind }) => kind === 'evaluate')?.params['metric']
    expect(metricOf(BOTH)).toBe('top1')
    expect(metricOf({ calibration: dataset({ labels: null }) })).toBe('fidelity')
  })

  it('quantizes dynamically without calibration data, but not without any', () => {
    const recipe = { steps: [{ type: 'quantize_dynamic' }] }
    const kinds = plan({ recipe }, { validation: dataset() }).stages.map(({ kind }) => kind)
    expect(kinds).toEqual(['prepare', 'quantize_dynamic', 'evaluate', 'report'])
    expect(() => plan({ recipe }, {})).toThrow(/datasets\/validation/)
  })

  it('leaves a float16 model in float16 where no step computes in integers', () => {
    const prune = { type: 'prune_weights' }
    const paramsOf = (...steps: readonly object[]) =>
      plan({ recipe: { steps }, constraints: { max_drop: 0.1 } }, BOTH).stages[0]!.params
    const kept = { keep_float16: true }
    expect(paramsOf(prune)).toEqual(kept)
    expect(paramsOf({ type: 'repeat', steps: [prune] })).toEqual(kept)
    expect(paramsOf(prune, { type: 'quantize_weights' })).toEqual(kept)
    expect(paramsOf(prune, { type: 'convert_float16' })).toEqual(kept)
    expect(paramsOf(prune, { type: 'quantize_static' })).toEqual({})
    expect(paramsOf(prune, { type: 'quantize_dynamic' })).toEqual({})
  })

  it('refuses to calibrate without calibration data', () => {
    expect(() => plan({}, { validation: dataset() })).toThrow(/datasets\/calibration/)
  })

  it('refuses to quantize twice, pointing at the second step', () => {
    const steps = [{ type: 'quantize_static' }, { type: 'quantize_dynamic' }]
    expect(() => plan({ recipe: { steps } }, BOTH)).toThrow(/#\/recipe\/steps\/1/)
  })

  it.each([
    [
      'an array of another type',
      { arrays: [{ name: 'image', dataType: 'uint8', dims: [8, 1, 28, 28] }] },
    ],
    [
      'an array of another shape',
      { arrays: [{ name: 'image', dataType: 'float32', dims: [8, 3, 28, 28] }] },
    ],
    [
      'no array for an input',
      { arrays: [{ name: 'pixels', dataType: 'float32', dims: [8, 1, 28, 28] }] },
    ],
  ] as const)('refuses a dataset with %s, pointing at the dataset', (_, changes) => {
    const calibration = dataset({ ...changes, labels: null })
    expect(faultPointer(() => plan({}, { calibration }))).toBe('#/datasets/calibration')
  })

  it('refuses top1 without labels, for outputs that are not scores, and with labels out of range', () => {
    const evaluation = { metric: 'top1' }
    expect(() => plan({ evaluation }, { calibration: dataset({ labels: null }) })).toThrow(/labels/)
    const boxes = [{ name: 'boxes', data_type: 'float32', shape: ['batch', 100, 4] }]
    const detector = { ...MODEL, description: { ...MODEL.description, outputs: boxes } }
    expect(() => plan({ evaluation }, BOTH, detector)).toThrow(/rank 3/)
    const labels = { kind: 'classes', name: 'label', min: 0, max: 10 } as const
    expect(() => plan({ evaluation }, { calibration: dataset({ labels }) })).toThrow(/10 classes/)
  })

  it('refuses an output that the model does not have', () => {
    expect(() => plan({ evaluation: { output: 'probs' } }, BOTH)).toThrow(/evaluation\/output/)
  })
})
