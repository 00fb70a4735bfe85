import { attr, indexGraph } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { foldableActivation } from './foldable-activation.js'

const conv = () => model().input('x').input('w').node('Conv', ['x', 'w'], ['c'])

function boundsAfter(builder: ReturnType<typeof model>) {
  const found = foldableActivation('c', indexGraph(builder.output('y').graph()))
  return found && { output: found.output, min: found.min, max: found.max }
}

describe('foldableActivation', () => {
  it('finds a Relu that alone reads the value', () => {
    expect(boundsAfter(conv().node('Relu', ['c'], ['y']))).toEqual({
      output: 'y',
      min: 0,
      max: Infinity,
    })
  })

  it('finds the bounds of a Clip in inputs and, before opset 11, in attributes', () => {
    const clip = conv().floats('six', [], [6]).node('Clip', ['c', '', 'six'], ['y'])
    expect(boundsAfter(clip)).toEqual({ output: 'y', min: -Infinity, max: 6 })
    const old = conv().node('Clip', ['c'], ['y'], { min: attr.float(-1) })
    expect(boundsAfter(old)).toEqual({ output: 'y', min: -1, max: Infinity })
  })

  it('finds nothing when the value is read elsewhere, is an output, or is itself a bound', () => {
    expect(boundsAfter(conv().node('Relu', ['c'], ['y']).node('Neg', ['c'], ['n']))).toBeUndefined()
    expect(boundsAfter(conv().node('Relu', ['c'], ['y']).output('c'))).toBeUndefined()
    expect(boundsAfter(conv().node('Clip', ['x', '', 'c'], ['y']))).toBeUndefined()
    expect(boundsAfter(conv().node('Clip', ['c', '', 'w'], ['y']))).toBeUndefined()
    expect(boundsAfter(conv().node('Sigmoid', ['c'], ['y']))).toBeUndefined()
  })
})
