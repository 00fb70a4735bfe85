import { checkModel } from '@pare/graph'
import { describe, expect, it } from 'vitest'

import { randomTensor, runModel } from '../testing.js'
import { randomNetwork, relativeError } from './channel-testing.js'
import { equalizeLayers } from './equalize.js'

describe('equalizeLayers', () => {
  it('does not change what random networks compute', async () => {
    let pairs = 0
    for (let seed = 0; seed < 60; seed++) {
      const built = randomNetwork(seed, { norms: false })
      const result = equalizeLayers(built)
      checkModel(result.model)
      pairs += result.pairs.length
      const feeds = { x: randomTensor([2, 4, 6, 6], seed) }
      const [before, after] = [await runModel(built, feeds), await runModel(result.model, feeds)]
      for (const [name, tensor] of Object.entries(before)) {
        expect(relativeError(tensor, after[name]!), `seed ${seed}, ${name}`).toBeLessThan(1e-5)
      }
    }
    expect(pairs).toBeGreaterThan(60)
  })
})
