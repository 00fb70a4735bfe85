// Runs what a job runs: the stages of a plan (`plan.mjs`), by the packed stage functions that engines
// run. Nothing about a step is known here, so what a job does is what is measured.
//
//   node bench/lib/job.mjs plan.json out.onnx [threads]
//
// `plan.json` is written by `writeJobPlan`. Prints one line of JSON: seconds of the stages, the same
// per stage, processor seconds and peak memory of the whole process, and the stages' metrics.
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { onnxRuntime, runStage } from '../../services/worker/dist/packed/stages.js'

export const JOB_SCRIPT = fileURLToPath(import.meta.url)

const runtime = onnxRuntime()

if (process.argv[1] === JOB_SCRIPT) {
  const [path, out, threads = cpus().length] = process.argv.slice(2)
  const { known, plan } = JSON.parse(readFileSync(path, 'utf8'))
  console.log(JSON.stringify(await runJob({ known, plan, out, threads })))
}

/**
 * Inspects a model and its calibration data as an upload does; this happens once, before any job, so
 * no run is charged for it. Returns the path of what plans are made for, and the number of samples.
 */
export async function writeJobInputs({ model, calibration, folder }) {
  const known = {
    model: await inspected('inspect_model', { role: 'model', path: model, folder }),
    calibration: await inspected('inspect_dataset', { role: 'dataset', path: calibration, folder }),
  }
  const path = join(folder, 'inputs.json')
  writeFileSync(path, JSON.stringify(known))
  return { path, samples: known.calibration.description.samples }
}

async function inspected(kind, { role, path, folder }) {
  const workDir = join(folder, kind)
  mkdirSync(workDir)
  const { outputs, metrics } = await runStage(kind, {
    ...context(1, workDir),
    inputs: [{ role, path, sha256: '' }],
    params: {},
  })
  const canonical = outputs.find((output) => output.role === 'canonical').path
  return { path: canonical, sha256: hash(canonical), description: metrics }
}

/**
 * Runs every stage of a plan that its model comes from. A stage that a map of `finished` ones knows,
 * by what makes its result, is not run again; whoever gives one keeps the `folder`.
 */
export async function runJob({ known, plan, out, threads, finished = new Map(), folder }) {
  const { stages, artifacts, seed } = plan
  const blobs = new Map(Object.values(known).map((blob) => [blob.sha256, blob]))
  const root = mkdtempSync(join(folder ?? tmpdir(), 'pare-bench-job-'))
  const start = performance.now()
  try {
    const done = new Map()
    const wanted = artifacts.find(({ kind }) => kind === 'model')
    for (const stage of stagesBehind(stages, wanted.stage)) {
      const workDir = join(root, stage.name)
      mkdirSync(workDir)
      const begun = performance.now()
      const inputs = stage.inputs.map((input) => located(input, blobs, done))
      const key = JSON.stringify([stage.kind, stage.params, inputs.map(({ sha256 }) => sha256)])
      const result =
        finished.get(key) ??
        (await runStage(stage.kind, {
          ...context(Number(threads), workDir),
          inputs,
          params: stage.params,
          seed,
        }))
      finished.set(key, result)
      done.set(stage.name, { ...result, seconds: (performance.now() - begun) / 1000 })
    }
    const seconds = (performance.now() - start) / 1000
    copyFileSync(outputOf(done, wanted.stage, 'model'), out)
    return { seconds, ...summary(done), ...usage() }
  } finally {
    if (folder === undefined) rmSync(root, { recursive: true })
  }
}

function stagesBehind(stages, name) {
  const wanted = new Set([name])
  for (const stage of stages.toReversed()) {
    if (!wanted.has(stage.name)) continue
    for (const { from } of stage.inputs) if ('stage' in from) wanted.add(from.stage)
  }
  return stages.filter((stage) => wanted.has(stage.name))
}

function located({ role, from }, blobs, done) {
  // What was uploaded was hashed then, once for all jobs.
  if ('blob' in from) {
    const { path, sha256 } = blobs.get(from.blob)
    return { role, path, sha256 }
  }
  const path = outputOf(done, from.stage, from.role)
  return { role, path, sha256: hash(path) }
}

function outputOf(done, stage, role) {
  return done.get(stage).outputs.find((output) => output.role === role).path
}

function context(threads, workDir) {
  return { threads, workDir, seed: 0, device: 'cpu', runtime, onProgress: () => undefined }
}

function summary(done) {
  const of = (key) => Object.fromEntries([...done].map(([name, result]) => [name, result[key]]))
  return { stages: of('seconds'), metrics: of('metrics') }
}

function usage() {
  return {
    cpu: Object.values(process.cpuUsage()).reduce((sum, us) => sum + us / 1e6, 0),
    peak: peakBytes(),
  }
}

/** maxRSS would hold what the parent had when it forked; VmHWM begins with the program. */
function peakBytes() {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line[1]) * 1024
}

function hash(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
