// What every InferenceRuntime promises, as a suite each adapter's test runs.
import { describe, expect, it } from 'vitest'

import type { InferenceRuntime } from './runtime.js'

export interface ConformanceModels {
  /** y = x + 1 on float32, any shape: input x, outputs y and z = x. */
  readonly increment: Uint8Array
}

export function describeInferenceRuntime(
  make: () => InferenceRuntime,
  models: ConformanceModels,
): void {
  describe('InferenceRuntime', () => {
    const x = { dataType: 'float32', dims: [2], data: Float32Array.of(1, 2) } as const

    it('states name and version', () => {
      expect(make().name).not.toBe('')
      expect(make().version).toMatch(/^\d+\./)
    })

    it('runs a model and returns the outputs asked for', async () => {
      const session = await make().createSession(models.increment, { intraOpThreads: 1 })
      expect(session.inputs.map(({ name, dataType }) => [name, dataType])).toEqual([
        ['x', 'float32'],
      ])
      const all = await session.run({ x })
      expect(Object.keys(all).sort()).toEqual(['y', 'z'])
      expect(all['y']).toMatchObject({
        dataType: 'float32',
        dims: [2],
        data: Float32Array.of(2, 3),
      })
      expect(Object.keys(await session.run({ x }, ['z']))).toEqual(['z'])
      await session.release()
    })

    it('gives the same result at every optimization level', async () => {
      for (const optimization of ['none', 'basic', 'extended', 'all'] as const) {
        const session = await make().createSession(models.increment, { optimization })
        expect((await session.run({ x }))['y']?.data).toEqual(Float32Array.of(2, 3))
        await session.release()
      }
    })

    it('rejects bytes that are no model', async () => {
      await expect(make().createSession(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
        code: 'runtime_rejected_model',
      })
    })

    it('rejects feeds that are missing, unknown, of the wrong length or of the wrong type', async () => {
      const session = await make().createSession(models.increment)
      const wrong = [
        {},
        { x, typo: x },
        { x: { ...x, dims: [3] } },
        { x: { dataType: 'int32', dims: [2], data: Int32Array.of(1, 2) } as const },
      ]
      for (const feeds of wrong) {
        await expect(session.run(feeds)).rejects.toMatchObject({ code: 'runtime_invalid_feeds' })
      }
      await session.release()
    })
  })
}
