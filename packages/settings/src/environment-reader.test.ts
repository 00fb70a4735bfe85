import { describe, expect, it } from 'vitest'

import { EnvironmentReader } from './environment-reader.js'

describe('EnvironmentReader', () => {
  it('takes an empty value for an absent one', () => {
    const reader = new EnvironmentReader({ HOST: '', PORT: '' })
    expect(reader.text('HOST', 'localhost')).toBe('localhost')
    expect(reader.optionalInteger('PORT', { min: 0, max: 9 })).toBeUndefined()
    expect(() => reader.throwFaults()).not.toThrow()
  })

  it('names every fault together and repeats no value', () => {
    const reader = new EnvironmentReader({ DB: 'mysql://secret@db', PORT: '70000', LEVEL: 'loud' })
    reader.url('DB', ['postgres:'])
    reader.integer('PORT', { fallback: 1, min: 0, max: 65_535 })
    reader.choice('LEVEL', ['info', 'warn'], 'info')
    reader.list('CIDRS', () => {
      throw new Error('expected address ranges')
    })
    expect(() => reader.throwFaults()).toThrow(/DB: [^]*PORT: [^]*LEVEL: [^]*CIDRS: /)
    expect(() => reader.throwFaults()).not.toThrow(/secret|70000|loud/)
  })

  it('splits lists and drops what is empty', () => {
    const reader = new EnvironmentReader({ CIDRS: ' 10.0.0.0/8, ,127.0.0.0/8,' })
    expect(reader.list('CIDRS')).toEqual(['10.0.0.0/8', '127.0.0.0/8'])
  })
})
