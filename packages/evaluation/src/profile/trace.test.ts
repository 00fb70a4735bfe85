import { describe, expect, it } from 'vitest'

import { ownTimes, readTrace } from './trace.js'

const run = (ts: number) => ({ cat: 'Session', name: 'model_run', ts, dur: 50, args: {} })
const kernel = (name: string, ts: number, dur: number, op = 'Relu') => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: { op_name: op },
})

describe('readTrace', () => {
  it('sorts kernels into runs by when they started, in the order of their start', () => {
    const events = [
      { cat: 'Session', name: 'session_initialization', ts: 0, dur: 9, args: {} },
      kernel('b', 120, 5),
      kernel('a', 110, 5),
      run(100),
      { cat: 'Node', name: 'a_fence_before', ts: 109, dur: 1, args: { op_name: 'Relu' } },
      kernel('a', 210, 7),
      run(200),
    ]
    const runs = readTrace(JSON.stringify(events))
    expect(runs.map((one) => one.map(({ name, duration }) => [name, duration]))).toEqual([
      [
        ['a', 5],
        ['b', 5],
      ],
      [['a', 7]],
    ])
  })
})

describe('ownTimes', () => {
  it('takes what runs inside a node from its time, once for each level', () => {
    const events = [
      { name: 'loop', opType: 'Loop', start: 0, duration: 100 },
      { name: 'if', opType: 'If', start: 10, duration: 40 },
      { name: 'x', opType: 'Relu', start: 20, duration: 15 },
      { name: 'y', opType: 'Relu', start: 60, duration: 30 },
      { name: 'z', opType: 'Relu', start: 100, duration: 8 },
    ]
    expect(ownTimes(events)).toEqual([30, 25, 15, 30, 8])
  })
})
