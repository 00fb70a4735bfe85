// What a model file is worth on data: one score per sample, by the rule of its network.
import { matchDataset } from '../../packages/datasets/dist/index.js'
import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { openNpz } from './arrays.mjs'

const runtime = onnxRuntime()

/**
 * Runs the model over the data. `decide(outputs, row)` reduces the outputs of one sample to what
 * counts: a class, a text, a vector.
 */
export async function decisionsOf(path, { validation, batchSize, decide }) {
  const session = await runtime.createSession({ path }, { intraOpThreads: 2 })
  const { dataset, close } = await openNpz(validation)
  const { inputs } = matchDataset({ ...dataset, labels: null }, session.inputs)
  const decisions = []
  for await (const { feeds, count } of dataset.batches({ batchSize, inputs })) {
    const outputs = await session.run(feeds)
    for (let row = 0; row < count; row++) decisions.push(decide(outputs, row))
  }
  await close()
  await session.release()
  return decisions
}

/** 10 log₁₀ of Σx² / Σ(x − y)² over all outputs of the first samples: x of one model, y of another. */
export async function outputSqnr(path, other, { validation, batchSize, samples }) {
  const sessions = await Promise.all(
    [path, other].map((file) => runtime.createSession({ path: file }, { intraOpThreads: 2 })),
  )
  const { dataset, close } = await openNpz(validation)
  const { inputs } = matchDataset({ ...dataset, labels: null }, sessions[0].inputs)
  let [signal, noise] = [0, 0]
  for await (const { feeds } of dataset.batches({ batchSize, inputs, limit: samples })) {
    const [expected, actual] = await Promise.all(sessions.map((session) => session.run(feeds)))
    for (const [name, { data }] of Object.entries(expected)) {
      for (let i = 0; i < data.length; i++) {
        signal += data[i] ** 2
        noise += (data[i] - actual[name].data[i]) ** 2
      }
    }
  }
  await close()
  for (const session of sessions) await session.release()
  return 10 * Math.log10(signal / noise)
}

/** The first sample as a model takes it. */
export async function firstFeeds(path, validation) {
  const session = await runtime.createSession({ path })
  const { dataset, close } = await openNpz(validation)
  const { inputs } = matchDataset({ ...dataset, labels: null }, session.inputs)
  const { feeds } = await dataset.head(1, { inputs })
  await close()
  await session.release()
  return feeds
}

/** The values of one sample of a tensor whose first dimension is the batch. */
export function rowOf({ dims, data }, row) {
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1)
  return data.subarray(row * size, (row + 1) * size)
}

export function argmax(values) {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}

export function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
  }
  return aa === 0 && bb === 0 ? 1 : ab / Math.max(1e-30, Math.sqrt(aa * bb))
}
