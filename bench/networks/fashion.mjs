// Four networks trained on Fashion-MNIST, with its data: files fashion-*.onnx and fashion-*.npz in a
// folder that is given.
import { join } from 'node:path'

import { normalizeNpz, readNpz, writeNpz } from '../lib/arrays.mjs'
import { argmax, rowOf } from '../lib/judge.mjs'

const KINDS = {
  'fashion-mlp': 'three fully connected layers',
  'fashion-resnet': 'residual CNN',
  'fashion-resnet-bn': 'residual CNN with its BatchNormalization',
  'fashion-vit': 'vision transformer',
}
const QUICK_VALIDATION = 1000

export const fashion = Object.entries(KINDS).map(([name, kind]) => ({
  name,
  kind,
  metric: 'top1',
  needsFixtures: true,
  make: ({ fixtures, ...context }) =>
    withFashionData(join(fixtures, `${name}.onnx`), { fixtures, ...context }),
  decide: decideClass,
  score: scoreClass,
}))

/** The class that the first output says, whatever its name. */
export function decideClass(outputs, row) {
  return argmax(rowOf(Object.values(outputs)[0], row))
}

export function scoreClass(decision, { label }) {
  return decision === label ? 1 : 0
}

/** 500 calibration and 5,000 validation images beside a model that takes them. */
export async function withFashionData(model, { fixtures, folder, quick }) {
  const calibration = join(fixtures, 'fashion-calibration.npz')
  const whole = join(folder, 'whole.npz')
  await normalizeNpz(join(fixtures, 'fashion-validation.npz'), whole)
  const { image, label } = await readNpz(whole, quick ? { limit: QUICK_VALIDATION } : {})
  const validation = join(folder, 'validation.npz')
  await writeNpz(validation, { image })
  return { model, calibration, validation, labels: Array.from(label.data, Number) }
}
