import { expect, test } from 'vitest'

import {
  assertJobTransition,
  assertStageTransition,
  isTerminalJobState,
  isTerminalStageState,
  JOB_STATES,
  JOB_TRANSITIONS,
  STAGE_STATES,
  STAGE_TRANSITIONS,
} from './states.js'

test('every move is allowed or refused as the tables say', () => {
  for (const from of JOB_STATES) {
    for (const to of JOB_STATES) {
      const move = () => assertJobTransition('job_1', from, to)
      if (JOB_TRANSITIONS[from].includes(to)) expect(move).not.toThrow()
      else expect(move).toThrow(`job job_1 is ${from} and cannot become ${to}`)
    }
  }
  for (const from of STAGE_STATES) {
    for (const to of STAGE_STATES) {
      const move = () => assertStageTransition('stg_1', from, to)
      if (STAGE_TRANSITIONS[from].includes(to)) expect(move).not.toThrow()
      else expect(move).toThrow(`stage stg_1 is ${from} and cannot become ${to}`)
    }
  }
})

test('the terminal states are the ones that the product promises never to change', () => {
  expect(JOB_STATES.filter(isTerminalJobState)).toEqual([
    'succeeded',
    'failed',
    'canceled',
    'expired',
  ])
  expect(STAGE_STATES.filter(isTerminalStageState)).toEqual(['succeeded', 'failed', 'canceled'])
})

test('every state can be reached and every state can come to an end', () => {
  const reachable = (start: 'queued') => {
    const seen = new Set<(typeof JOB_STATES)[number]>([start])
    for (const state of seen) JOB_TRANSITIONS[state].forEach((to) => seen.add(to))
    return seen
  }
  expect(reachable('queued').size).toBe(JOB_STATES.length)
  for (const state of JOB_STATES) {
    const seen = new Set([state])
    for (const at of seen) JOB_TRANSITIONS[at].forEach((to) => seen.add(to))
    expect([...seen].some(isTerminalJobState)).toBe(true)
  }
})
