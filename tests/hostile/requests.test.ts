// Requests for jobs that cannot be done: each is refused at once, with its own code and a pointer to
// the element of the body that has to change.
import type { Problem } from '@pare/contracts'
import { float32Array, int64Array, npz } from '@pare/datasets/testing'
import { encodeModel } from '@pare/onnx'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { endlessLoop } from './hostile-models.js'
import { classes, datasetFile, detector, inputs, modelFile, SAMPLES } from './sound-files.js'
import { problemOf, Stack } from './stack.js'

const NOBODY = '00000000000000000000000000'

let stack: Stack
let ids: Readonly<
  Record<'model' | 'detector' | 'rejected' | 'dataset' | 'unlabelled' | 'validating', string>
>

beforeAll(async () => {
  stack = await Stack.start()
  const [model, boxes, rejected, dataset, unlabelled] = await Promise.all([
    stack.ready('models', modelFile()),
    stack.ready('models', encodeModel(detector())),
    stack.settle('models', new TextEncoder().encode('no model')),
    stack.ready('datasets', datasetFile()),
    stack.ready('datasets', npz({ x: inputs() })),
  ])
  // Inspected until its time is up, which is longer than these tests take to ask for it.
  const { id: validating } = await stack.create('models', endlessLoop())
  ids = { model, detector: boxes, rejected: rejected.id, dataset, unlabelled, validating }
})
afterAll(() => stack.close())

const job = (changes: object = {}) => ({
  model: ids.model,
  datasets: { calibration: ids.dataset },
  recipe: { steps: [{ type: 'quantize_static' }] },
  ...changes,
})

interface Refusal {
  readonly status: number
  readonly code: string
  readonly pointer?: string
  readonly says: RegExp
  readonly fault?: Problem['fault']
}

async function expectRefused(response: Response, refusal: Refusal) {
  const { status, code, pointer, says, fault = 'client' } = refusal
  const problem = await problemOf(response)
  expect(problem).toMatchObject({ status, code, fault, type: `/errors/${code}` })
  expect(response.status).toBe(status)
  expect(problem.detail).toMatch(says)
  expect(problem.request_id).toBe(response.headers.get('x-request-id'))
  if (pointer !== undefined) {
    expect(problem.errors?.map((part) => part.pointer)).toContain(pointer)
  }
}

const step = (extra: object) => ({ recipe: { steps: [{ type: 'quantize_static', ...extra }] } })

describe('a body is refused that names', () => {
  it.each<[string, () => object, Refusal]>([
    [
      'a model still being validated',
      () => job({ model: ids.validating }),
      { status: 409, code: 'model_not_ready', pointer: '#/model', says: /wait/ },
    ],
    [
      'a rejected model',
      () => job({ model: ids.rejected }),
      {
        status: 422,
        code: 'model_was_rejected',
        pointer: '#/model',
        says: /ONNX/,
        fault: 'model',
      },
    ],
    [
      'a model that is not there',
      () => job({ model: `mdl_${NOBODY}` }),
      { status: 404, code: 'model_not_found', pointer: '#/model', says: /mdl_0/ },
    ],
    [
      'a dataset that is not there',
      () => job({ datasets: { calibration: `dst_${NOBODY}` } }),
      {
        status: 404,
        code: 'dataset_not_found',
        pointer: '#/datasets/calibration',
        says: /dst_0/,
      },
    ],
    [
      'a dataset as its model',
      () => job({ model: ids.dataset }),
      { status: 404, code: 'model_not_found', pointer: '#/model', says: /dst_/ },
    ],
    [
      'no data to calibrate on',
      () => job({ datasets: {} }),
      {
        status: 422,
        code: 'dataset_required',
        pointer: '#/datasets/calibration',
        says: /calibrat/,
      },
    ],
    [
      'an unknown step',
      () => job({ recipe: { steps: [{ type: 'shrink' }] } }),
      {
        status: 422,
        code: 'job_request_invalid',
        pointer: '#/recipe/steps/0/type',
        says: /quantize_static/,
      },
    ],
    [
      'no step at all',
      () => job({ recipe: { steps: [] } }),
      { status: 422, code: 'job_request_invalid', pointer: '#/recipe/steps', says: /1 to 32/ },
    ],
    [
      'two steps that exclude each other',
      () => job({ recipe: { steps: [{ type: 'quantize_static' }, { type: 'quantize_dynamic' }] } }),
      { status: 422, code: 'recipe_invalid', pointer: '#/recipe/steps/1', says: /keep one/ },
    ],
    [
      'a parameter out of its range',
      () => job(step({ calibration: { samples: -3 } })),
      {
        status: 422,
        code: 'job_request_invalid',
        pointer: '#/recipe/steps/0/calibration/samples',
        says: /integer/,
      },
    ],
    [
      'a parameter that the step does not have',
      () => job(step({ bits: 3 })),
      {
        status: 422,
        code: 'job_request_invalid',
        pointer: '#/recipe/steps/0/bits',
        says: /unknown/,
      },
    ],
    [
      'a field that jobs do not have',
      () => job({ dataset: ids.dataset }),
      { status: 422, code: 'job_request_invalid', pointer: '#/dataset', says: /unknown field/ },
    ],
    [
      'a limit that is no number',
      () => job({ limits: { max_run_seconds: 'soon' } }),
      {
        status: 422,
        code: 'job_request_invalid',
        pointer: '#/limits/max_run_seconds',
        says: /integer/,
      },
    ],
    [
      'accuracy of data without labels',
      () => job({ datasets: { calibration: ids.unlabelled }, evaluation: { metric: 'top1' } }),
      {
        status: 422,
        code: 'labels_missing',
        pointer: '#/evaluation/metric',
        says: /\?labels=/,
        fault: 'data',
      },
    ],
    [
      'accuracy of a model that gives no scores',
      () => job({ model: ids.detector, evaluation: { metric: 'top1' } }),
      {
        status: 422,
        code: 'metric_unsuitable',
        pointer: '#/evaluation/metric',
        says: /"boxes" has rank 3.*fidelity/,
      },
    ],
    [
      'an output that the model does not have',
      () => job({ evaluation: { output: 'logits' } }),
      {
        status: 422,
        code: 'metric_unsuitable',
        pointer: '#/evaluation/output',
        says: /"logits".*scores/,
      },
    ],
  ])('%s', async (_, body, refusal) => {
    await expectRefused(await stack.post('/v1/jobs', body()), refusal)
  })
})

describe('a dataset is refused that does not fit its model:', () => {
  it.each<[string, () => Uint8Array, Refusal]>([
    [
      'other names',
      () => npz({ pixels: inputs(), depth: inputs(), label: classes() }),
      { status: 422, code: 'dataset_input_missing', says: /"x".*pixels/ },
    ],
    [
      'another type',
      () => npz({ x: { dataType: 'float64', dims: [4, 16], data: new Float64Array(64) } }),
      { status: 422, code: 'dataset_dtype_mismatch', says: /"x".*float64.*float32/ },
    ],
    [
      'another shape',
      () => npz({ x: float32Array([4, 3, 16], new Float32Array(192).fill(0.5)) }),
      { status: 422, code: 'dataset_shape_mismatch', says: /"x"/ },
    ],
  ])('%s', async (_, file, refusal) => {
    const calibration = await stack.ready('datasets', file())
    const response = await stack.post('/v1/jobs', job({ datasets: { calibration } }))
    const pointer = '#/datasets/calibration'
    await expectRefused(response, { ...refusal, pointer, fault: 'data' })
  })

  it('labels beyond the classes of the model', async () => {
    const label = int64Array([SAMPLES], Array<number>(SAMPLES).fill(10))
    const calibration = await stack.ready('datasets', npz({ x: inputs(), label }))
    const body = job({ datasets: { calibration }, evaluation: { metric: 'top1' } })
    await expectRefused(await stack.post('/v1/jobs', body), {
      status: 422,
      code: 'dataset_labels_out_of_range',
      pointer: '#/evaluation/metric',
      says: /10/,
      fault: 'data',
    })
  })
})

describe('a request is refused that is', () => {
  const json = { 'content-type': 'application/json' }
  it.each<[string, string, Parameters<Stack['send']>[1], Refusal]>([
    [
      'not JSON',
      '/v1/jobs',
      { headers: json, body: '{"model": ' },
      { status: 400, code: 'body_malformed', says: /JSON/ },
    ],
    [
      'a list',
      '/v1/jobs',
      { headers: json, body: '[]' },
      { status: 422, code: 'job_request_invalid', says: /JSON object/ },
    ],
    [
      'of another media type',
      '/v1/jobs',
      { headers: { 'content-type': 'text/yaml' }, body: 'model: x' },
      { status: 415, code: 'media_type_unsupported', says: /application\/json/ },
    ],
    [
      'without a body',
      '/v1/jobs',
      { headers: json },
      { status: 400, code: 'body_required', says: /empty/ },
    ],
    [
      'longer than a request may be',
      '/v1/jobs',
      { headers: json, body: JSON.stringify({ model: 'x'.repeat(2 ** 22) }) },
      { status: 413, code: 'body_too_large', says: /large/ },
    ],
    [
      'an empty file',
      '/v1/models',
      { body: new Uint8Array() },
      { status: 400, code: 'body_required', says: /bytes of the file/ },
    ],
    [
      'a file larger than allowed',
      '/v1/models',
      { body: new Uint8Array(33 * 2 ** 20) },
      { status: 413, code: 'body_too_large', says: /33554432/ },
    ],
    [
      'a file that changed on its way',
      '/v1/datasets',
      { headers: { 'x-content-sha256': '0'.repeat(64) }, body: new Uint8Array(8) },
      { status: 400, code: 'digest_mismatch', says: /send it again/ },
    ],
  ])('%s', async (_, path, init, refusal) => {
    await expectRefused(await stack.send(path, { method: 'POST', ...init }), refusal)
  })

  it('sent with the wrong key', async () => {
    const response = await fetch(new URL('/v1/jobs', stack.url), {
      method: 'POST',
      headers: { authorization: 'Bearer pare_wrong' },
    })
    await expectRefused(response, {
      status: 401,
      code: 'api_key_invalid',
      says: /unknown, revoked or expired/,
    })
  })
})
