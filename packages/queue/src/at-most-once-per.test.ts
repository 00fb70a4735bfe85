import { expect, it, vi } from 'vitest'

import { atMostOncePer } from './at-most-once-per.js'

it('passes one call per interval and drops the rest', () => {
  vi.useFakeTimers()
  const heard: number[] = []
  const call = atMostOncePer(1000, (value: number) => heard.push(value))
  call(1)
  call(2)
  vi.advanceTimersByTime(999)
  call(3)
  vi.advanceTimersByTime(1)
  call(4)
  expect(heard).toEqual([1, 4])
  vi.useRealTimers()
})
