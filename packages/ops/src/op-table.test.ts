import { describe, expect, it } from 'vitest'

import { microsoftOpTable, NEWEST_KNOWN_OPSET, type OpFacts, opTable } from './index.js'

const tables: Readonly<Record<string, Readonly<Record<string, OpFacts>>>> = {
  'ai.onnx': opTable,
  'com.microsoft': microsoftOpTable,
}

describe.each(Object.entries(tables))('the operator table of %s', (_domain, table) => {
  it('is in alphabetical order', () => {
    const names = Object.keys(table)
    expect(names).toEqual(names.toSorted())
  })

  it('lists the versions of every operator in ascending order', () => {
    for (const [name, { versions }] of Object.entries(table)) {
      expect(versions.length, name).toBeGreaterThan(0)
      expect(versions, name).toEqual([...new Set(versions)].sort((a, b) => a - b))
      expect(versions.at(-1), name).toBeLessThanOrEqual(NEWEST_KNOWN_OPSET)
    }
  })

  it('says on which axis every weight has its output channels', () => {
    for (const [name, facts] of Object.entries(table)) {
      if (facts.weightInput === undefined) continue
      expect(facts.outChannelAxis, name).toBeTypeOf('function')
      expect(facts.inChannelAxis, name).toBeTypeOf('function')
    }
  })

  it('never lets an operator both compute in integers and pass 8 bits through', () => {
    for (const [name, facts] of Object.entries(table)) {
      expect(
        facts.integerKernel !== undefined && facts.sharesQuantization !== undefined,
        name,
      ).toBe(false)
    }
  })
})
