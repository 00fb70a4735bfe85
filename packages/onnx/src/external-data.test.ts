import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { tensorFromFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { canonicalizeModel } from './bundle/canonicalize-model.js'
import { decodeModel } from './decode/decode-model.js'
import { encodeModelWithExternalData } from './external-data.js'
import { piecesOf } from './wire/writer.js'

const ramp = (length: number) => Float32Array.from({ length }, (_, i) => i)

const body = () =>
  model().floats('inner', [2000], ramp(2000)).node('Add', ['x', 'inner'], ['z']).output('z').graph()

const large = (): Model => {
  const shared = tensorFromFloat32([1500], ramp(1500))
  return model()
    .input('x', 'float32', [2000])
    .input('flag', 'bool', [])
    .initializer('a', shared)
    .initializer('b', shared)
    .floats('small', [2], [1, 2])
    .node('If', ['flag'], ['y'], { then_branch: body(), else_branch: body() })
    .output('y')
    .build()
}

const written = () => {
  const encoded = encodeModelWithExternalData(large(), 'weights.bin')
  return {
    ...encoded,
    file: Buffer.concat(encoded.model),
    weights: Buffer.concat([...piecesOf(encoded.data)]),
  }
}

describe('external data', () => {
  it('loads back into the model that was written', () => {
    const { file, weights, dataBytes } = written()
    expect(weights.length).toBe(dataBytes)
    const loaded = canonicalizeModel(decodeModel(file), {
      readExternalData(location, offset, length) {
        expect(location).toBe('weights.bin')
        return new Uint8Array(weights.buffer, weights.byteOffset + offset, length)
      },
    })
    expect(loaded).toEqual(large())
  })

  it('takes the large initializers, those of bodies too, each shared one once', () => {
    const { file } = written()
    const { initializers } = decodeModel(file).graph
    const place = (name: string) => initializers.get(name)!.data
    expect(place('a')).toEqual({
      kind: 'external',
      location: 'weights.bin',
      offset: 0,
      length: 6000,
    })
    expect(place('b')).toEqual(place('a'))
    expect(place('small').kind).toBe('bytes')
    const [branch] = decodeModel(file).graph.nodes[0]!.attributes.values()
    const inner = branch?.type === 'graph' && branch.value.initializers.get('inner')!.data
    expect(inner).toMatchObject({ kind: 'external', offset: 8192 })
  })
})
