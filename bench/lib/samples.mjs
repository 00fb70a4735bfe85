// Calibration and validation data that a network's file makes, written where the bench wants them.
import { join } from 'node:path'

import { stackFloats, writeNpz } from './arrays.mjs'
import { createRandom } from './statistics.mjs'

/**
 * Writes `counts.calibration` and `counts.validation` samples, which `sample(random, part, index)`
 * makes, each `{ inputs: { name: Float32Array }, label? }`. The two parts have random numbers of
 * their own, so a quick run's samples are the first of a full one's. `constants(count)` gives arrays that do
 * not depend on the sample.
 */
export async function writeSamples({ folder, shapes, counts, sample, constants }) {
  const parts = {}
  for (const [seed, part] of ['calibration', 'validation'].entries()) {
    const random = createRandom(seed + 1)
    const samples = []
    for (let index = 0; index < counts[part]; index++)
      samples.push(await sample(random, part, index))
    const arrays = Object.entries(shapes).map(([name, shape]) => [
      name,
      stackFloats(
        samples.map(({ inputs }) => inputs[name]),
        shape,
      ),
    ])
    const path = join(folder, `${part}.npz`)
    await writeNpz(path, { ...Object.fromEntries(arrays), ...constants?.(samples.length) })
    parts[part] = { path, labels: samples.map(({ label }) => label) }
  }
  const { calibration, validation } = parts
  return { calibration: calibration.path, validation: validation.path, labels: validation.labels }
}
