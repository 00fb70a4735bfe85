// Whatever bytes arrive, reading them ends, and ends with a result or an error of the table.
import { CodedError } from '@pare/errors'
import fc from 'fast-check'
import { expect, it } from 'vitest'

import { inspectDataset } from './inspect.js'
import { bytesAccess } from './random-access.js'
import { float32Array, int64Array, npy, npz } from './testing.js'

const arrays = {
  image: float32Array([4, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
  label: int64Array([4], [0, 1, 2, 3]),
}
const originals = [npz(arrays), npz(arrays, { compressed: true }), npy(arrays.image)]

async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    await inspectDataset(bytesAccess(bytes))
    return 'described'
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
}

const change = fc.record({ at: fc.nat(), value: fc.nat(255) })

it('survives changed bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      async (original, changes) => {
        const bytes = original.slice()
        for (const { at, value } of changes) bytes[at % bytes.length] = value
        expect(await outcome(bytes)).toMatch(/^(described|dataset_)/)
      },
    ),
    { numRuns: 1000 },
  )
})

it('survives cuts and insertions at every place', async () => {
  for (const original of originals) {
    for (let at = 0; at < original.length; at++) {
      expect(await outcome(original.subarray(0, at))).toMatch(/^dataset_/)
      const longer = new Uint8Array(original.length + 1)
      longer.set(original.subarray(0, at))
      longer.set(original.subarray(at), at + 1)
      expect(await outcome(longer)).toMatch(/^(described|dataset_)/)
    }
  }
})

it('survives random bytes behind the magic of either format', async () => {
  const magic = fc.constantFrom([0x50, 0x4b, 3, 4], [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0])
  await fc.assert(
    fc.asyncProperty(magic, fc.uint8Array({ maxLength: 300 }), async (start, rest) => {
      expect(await outcome(Uint8Array.from([...start, ...rest]))).toMatch(/^dataset_/)
    }),
    { numRuns: 500 },
  )
})
