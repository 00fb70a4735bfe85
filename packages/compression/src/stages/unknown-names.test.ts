import { model } from '@pare/graph/testing'
import { expect, it } from 'vitest'

import { unknownNames } from './unknown-names.js'

it('warns of names that no node has, in bodies either, each once', () => {
  const body = () => model().node('Relu', ['x'], ['inner']).output('inner').graph()
  const network = model()
    .input('x')
    .input('c', 'bool')
    .node('Neg', ['x'], ['negated'])
    .named('neg')
    .node('If', ['c'], ['y'], { then_branch: body(), else_branch: body() })
    .output('y')
    .build()
  const known = ['neg', 'y', 'inner']
  expect(unknownNames(network, { nodes_to_exclude: known })).toEqual([])
  expect(unknownNames(network, { nodes_to_exclude: [...known, 'Neg', 'Neg'] })).toMatchObject([
    { severity: 'warning', code: 'node_unknown', node: 'Neg' },
  ])
})
