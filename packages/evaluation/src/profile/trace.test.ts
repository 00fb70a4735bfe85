import { describe, expect, it } from 'vitest'

import { ownTimes, readTrace } from './trace.js'

/** An event as onnxruntime writes it. */
const event = (cat: string, name: string, [ts, dur]: readonly number[], args = '') =>
  `{"cat" : "${cat}","pid" :7,"tid" :7,"dur" :${dur},"ts" :${ts},"ph" : "X","name" :"${name}","args" : {${args}}}`
const RELU = '"provider" : "CPUExecutionProvider","op_name" : "Relu","output_size" : "4"'
const kernel = (name: string, ...times: readonly number[]) =>
  event('Node', `${name}_kernel_time`, times, RELU)
const run = (ts: number) => event('Session', 'model_run', [ts, 50])
const fileOf = (events: readonly string[]) => `[\n${events.join(',\n')}\n]\n`

const namesOf = (text: string) =>
  readTrace(text).map((one) => one.map(({ name, duration }) => [name, duration]))

describe('readTrace', () => {
  it('sorts kernels into runs by when they started, in the order of their start', () => {
    const events = [
      event('Session', 'session_initialization', [0, 9]),
      kernel('b', 120, 5),
      kernel('a', 110, 5),
      run(100),
      event('Node', 'a_fence_before', [109, 1], RELU),
      kernel('a', 210, 7),
      run(200),
    ]
    expect(namesOf(fileOf(events))).toEqual([
      [
        ['a', 5],
        ['b', 5],
      ],
      [['a', 7]],
    ])
  })

  it('puts what surrounds first, where both start within the same microsecond', () => {
    const events = [kernel('inner', 5, 2), kernel('outer', 5, 9), run(0)]
    expect(namesOf(fileOf(events))).toEqual([
      [
        ['outer', 9],
        ['inner', 2],
      ],
    ])
  })

  it('reads names that onnxruntime did not escape', () => {
    const names = ['say "x"', 'two\nlines', '\\', '","args" : {', '{"cat" : "Node"']
    const events = [run(0), ...names.map((name, at) => kernel(name, at + 1, 1))]
    expect(namesOf(fileOf(events))).toEqual([names.map((name) => [name, 1])])
  })

  it('finds nothing in what is no trace', () => {
    expect(readTrace('')).toEqual([])
    expect(readTrace('[{"cat":"Node"}]')).toEqual([])
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

  it('knows what runs inside although its cut-off end seems to be later', () => {
    const events = [
      { name: 'if', opType: 'If', start: 10, duration: 10 },
      { name: 'x', opType: 'Relu', start: 12, duration: 9 },
    ]
    expect(ownTimes(events)).toEqual([1, 9])
  })
})
