import { expect, it } from 'vitest'

import { stageName } from './stage-name.js'

it('names a stage by the round and the step that it belongs to', () => {
  expect(stageName({ kind: 'report' })).toBe('report')
  expect(stageName({ step: 1, kind: 'calibrate' })).toBe('1-calibrate')
  expect(stageName({ round: 2, step: 1, kind: 'prune_weights' })).toBe('2/1-prune_weights')
  expect(stageName({ round: 2, kind: 'measure' })).toBe('2/measure')
})
