import { describe, expect, it } from 'vitest'

import {
  CLASSICAL_ML_OP_TYPES,
  MICROSOFT_OP_TYPES,
  microsoftOpTable,
  NEWEST_OPSET,
  OP_VERSIONS,
  type OpFacts,
  opTable,
} from './index.js'

const tables: Readonly<Record<string, Readonly<Record<string, OpFacts>>>> = {
  'ai.onnx': opTable,
  'com.microsoft': microsoftOpTable,
}

describe('the lists of operators', () => {
  it.each([
    ['ai.onnx', Object.keys(OP_VERSIONS)],
    ['ai.onnx.ml', CLASSICAL_ML_OP_TYPES],
    ['com.microsoft', MICROSOFT_OP_TYPES],
  ])('of %s are in alphabetical order, each name once', (_domain, names) => {
    expect(names).toEqual([...new Set(names)].toSorted())
  })

  it('have the versions of every operator in ascending order', () => {
    for (const [name, versions] of Object.entries(OP_VERSIONS)) {
      expect(versions.length, name).toBeGreaterThan(0)
      expect(versions, name).toEqual([...new Set<number>(versions)].sort((a, b) => a - b))
      expect(versions.at(-1), name).toBeLessThanOrEqual(NEWEST_OPSET)
    }
  })
})

describe.each(Object.entries(tables))('the operator table of %s', (_domain, table) => {
  it('is in alphabetical order', () => {
    const names = Object.keys(table)
    expect(names).toEqual(names.toSorted())
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
