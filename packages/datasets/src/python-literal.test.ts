import { describe, expect, it } from 'vitest'

import { parseLiteral } from './python-literal.js'

describe('parseLiteral', () => {
  it('reads the header that numpy writes', () => {
    const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (500, 1, 28), }   \n"
    expect(parseLiteral(text)).toEqual({
      dict: new Map<string, unknown>([
        ['descr', '<f4'],
        ['fortran_order', false],
        ['shape', { list: [500, 1, 28] }],
      ]),
    })
  })

  it('reads long integers of Python 2, double quotes, lists and empty tuples', () => {
    expect(parseLiteral('(3L,)')).toEqual({ list: [3] })
    expect(parseLiteral('["a", True]')).toEqual({ list: ['a', true] })
    expect(parseLiteral('()')).toEqual({ list: [] })
  })

  it.each([
    ['a call', "__import__('os').system('true')"],
    ['a name', 'None'],
    ['an expression', '1 + 1'],
    ['a negative number', '-1'],
    ['a fraction', '1.5'],
    ['an escape', "'\\x41'"],
    ['a repeated key', "{'a': 1, 'a': 2}"],
    ['a key that is no text', '{1: 2}'],
    ['a missing comma', '(1 2)'],
    ['a tuple without end', '(1, 2'],
    ['text after the end', '(1,) (2,)'],
    ['deep nesting', '('.repeat(1000) + ')'.repeat(1000)],
    ['nothing', ''],
  ])('does not read %s', (_, text) => {
    expect(parseLiteral(text)).toBeUndefined()
  })
})
