import { pageOf, Target } from '@pare/contracts'
import { DEVICES, REQUEST_TABLE, STEP_TYPES, TARGET_ISAS } from '@pare/recipe'

import { commonProblems } from '../responses.js'
import type { RoutePlugin } from '../route-plugin.js'

const DESCRIPTIONS: Readonly<Record<(typeof DEVICES)[number], string>> = {
  cpu: 'Served by onnxruntime on the processor, at target.threads threads',
  cuda: 'Served by onnxruntime on an NVIDIA GPU; the job waits for a worker that has one',
}

const { isa, threads } = REQUEST_TABLE.target.parameters

const TARGETS: readonly Target[] = DEVICES.map((device) => ({
  device,
  isas: [...TARGET_ISAS],
  default_isa: isa.default,
  default_threads: threads.default,
  runtime: 'onnxruntime 1.30',
  steps: [...STEP_TYPES],
  description: DESCRIPTIONS[device],
}))

const schema = {
  tags: ['targets'],
  summary: 'Where results can be served: the values of a job’s target',
  response: { 200: pageOf(Target), ...commonProblems },
}

export const targetRoutes: RoutePlugin = (app, _options, done) => {
  app.get('/targets', { schema }, () => ({
    data: [...TARGETS],
    has_more: false,
    next_cursor: null,
  }))
  done()
}
