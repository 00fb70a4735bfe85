// Every step of a recipe in every choice that its table allows: the result loads and runs in
// onnxruntime-node and passes the official ONNX checker (check-artifacts.py, full check).
//
//   npm run build
//   PYTHON=python3 node bench/check-artifacts.mjs [--fixtures folder] [--only step,…]
//
// Combinations hold every pair of choices that the service accepts; they are read from the table of
// steps, so a new parameter is covered. Models: the example's, and with --fixtures (or
// PARE_BENCH_FIXTURES) a fully connected network and a vision transformer. A combination that a job
// refuses with a code of its own is counted and listed; anything else ends in exit code 1.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { STEP_TABLE } from '../packages/recipe/dist/index.js'
import { onnxRuntime } from '../packages/inference/dist/onnxruntime.js'
import { decodeFloat16, encodeFloat16 } from '../packages/tensor/dist/index.js'
import { choicesOf, pairwise } from './lib/combinations.mjs'
import { runJob, writeJobInputs } from './lib/job.mjs'
import { firstFeeds } from './lib/judge.mjs'
import { planOf } from './lib/plan.mjs'

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url))
const CHECKER = fileURLToPath(new URL('check-artifacts.py', import.meta.url))
/** Ranges need not be good here. */
const SAMPLES = 32
/** How a job says no. The models are sound, so any other failure is the step's own. */
const REFUSAL = 'unsupported'

const { values: options } = parseArgs({
  options: {
    fixtures: { type: 'string', default: process.env.PARE_BENCH_FIXTURES ?? '' },
    only: { type: 'string' },
  },
})
const runtime = onnxRuntime()
/** For each step the pairs of choices that every request with them is refused for. */
const neverTogether = new Map()
const folder = mkdtempSync(join(tmpdir(), 'pare-bench-artifacts-'))
try {
  await main()
} finally {
  rmSync(folder, { recursive: true })
}

async function main() {
  const outcomes = []
  for (const [index, model] of models().entries()) {
    const place = join(folder, String(index))
    mkdirSync(place)
    const job = await prepareJob(model, place)
    for (const step of chosenSteps())
      outcomes.push(...(await checkStep(step, { job, place, model })))
  }
  addCheckerFaults(outcomes.filter(({ artifact }) => artifact !== undefined))
  report(outcomes)
  if (outcomes.some(({ fault }) => fault !== undefined)) process.exitCode = 1
}

function models() {
  const example = { model: 'fashion-resnet.onnx', from: EXAMPLES }
  const others = options.fixtures === '' ? [] : ['fashion-mlp.onnx', 'fashion-vit.onnx']
  return [example, ...others.map((model) => ({ model, from: options.fixtures }))].map((entry) => ({
    model: join(entry.from, entry.model),
    calibration: join(entry.from, 'fashion-calibration.npz'),
  }))
}

function chosenSteps() {
  const wanted = options.only?.split(',')
  const plain = Object.keys(STEP_TABLE).filter((type) => type !== 'repeat')
  return plain.filter((type) => wanted === undefined || wanted.includes(type))
}

async function prepareJob({ model, calibration }, place) {
  const { path } = await writeJobInputs({ model, calibration, folder: place })
  const known = JSON.parse(readFileSync(path, 'utf8'))
  const feeds = await firstFeeds(known.model.path, known.calibration.path)
  return { known, feeds, finished: new Map() }
}

async function checkStep(type, { job, place, model }) {
  const { parameters } = STEP_TABLE[type]
  const choices = choicesOf(parameters)
  const stepOf = (values) => assembled(type, choices, values)
  const { rows, refused } = pairwise(choices, (values) => isAccepted(job.known, stepOf(values)))
  neverTogether.set(
    type,
    refused.map((pair) => pair.map(([i, value]) => textOf(choices[i], value))),
  )
  const outcomes = []
  for (const [index, values] of rows.entries()) {
    const step = stepOf(values)
    const artifact = join(place, `${type}-${index}.onnx`)
    outcomes.push({
      type,
      step,
      choices,
      values,
      model,
      ...(await made(step, artifact, { job, place })),
    })
  }
  console.error(`${basename(model.model)}, ${type}: ${rows.length} combinations`)
  return outcomes
}

/** The step as it is sent, with a small calibration where it has one. */
function assembled(type, choices, values) {
  const step = { type }
  if ('calibration' in STEP_TABLE[type].parameters) step.calibration = { samples: SAMPLES }
  choices.forEach(({ path }, i) => {
    const group = path.slice(0, -1).reduce((object, name) => (object[name] ??= {}), step)
    group[path.at(-1)] = values[i]
  })
  return step
}

function isAccepted(known, step) {
  try {
    planOf(known, step)
    return true
  } catch (error) {
    if (isCoded(error)) return false
    throw error
  }
}

/** Of the planner's packages or of the packed stages: each has the class for itself. */
function isCoded(error) {
  return error.name === 'CodedError'
}

/** `{ artifact }`, `{ refused: code }`, or with the `fault`. */
async function made(step, artifact, { job, place }) {
  try {
    const plan = planOf(job.known, step)
    await runJob({ ...job, plan, out: artifact, threads: cpus().length, folder: place })
  } catch (error) {
    if (isCoded(error) && error.kind === REFUSAL) return { refused: error.code }
    return { fault: `the job failed: ${error.message}` }
  }
  try {
    const session = await runtime.createSession({ path: artifact }, { intraOpThreads: 1 })
    const outputs = await session.run(feedsFor(session, job.feeds))
    await session.release()
    if (Object.values(outputs).every(hasNumbers)) return { artifact }
    return { artifact, fault: 'an output is not finite' }
  } catch (error) {
    return { artifact, fault: `onnxruntime: ${error.message}` }
  }
}

function hasNumbers({ dataType, data }) {
  const floats = dataType === 'float16' ? decodeFloat16(data) : data
  return floats.every((value) => Number.isFinite(value))
}

/** A model whose inputs became float16 is fed float16. */
function feedsFor(session, feeds) {
  return Object.fromEntries(
    session.inputs.map(({ name, dataType }) => {
      const tensor = feeds[name]
      if (dataType === tensor.dataType) return [name, tensor]
      return [name, { dataType, dims: tensor.dims, data: encodeFloat16(tensor.data) }]
    }),
  )
}

function addCheckerFaults(outcomes) {
  const list = join(folder, 'artifacts.json')
  writeFileSync(list, JSON.stringify(outcomes.map(({ artifact }) => artifact)))
  if (!process.env.PYTHON) throw new Error('set PYTHON to a Python with onnx')
  const output = execFileSync(process.env.PYTHON, [CHECKER, list], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  const faults = JSON.parse(output)
  for (const outcome of outcomes) {
    const fault = faults[outcome.artifact]
    if (fault !== undefined) outcome.fault ??= `the checker: ${fault}`
  }
}

/** A row per step and choice: how many combinations with it passed, were refused, failed. */
function report(outcomes) {
  console.log('| step | choice | passed | refused | failed |\n|---|---|---|---|---|')
  for (const type of new Set(outcomes.map((outcome) => outcome.type))) {
    const own = outcomes.filter((outcome) => outcome.type === type)
    console.log(row(type, 'all', own))
    own[0].choices.forEach(({ path, values }, i) => {
      for (const value of values) {
        const having = own.filter((outcome) => outcome.values[i] === value)
        console.log(row('', textOf({ path }, value), having))
      }
    })
  }
  for (const [type, pairs] of neverTogether) {
    for (const pair of pairs) console.log(`${type}: never accepted together: ${pair.join(' and ')}`)
  }
  for (const { model, step, fault } of outcomes.filter((outcome) => outcome.fault !== undefined)) {
    console.log(`FAILED ${basename(model.model)} ${JSON.stringify(step)}\n  ${fault}`)
  }
}

function row(type, choice, outcomes) {
  const refused = outcomes.filter((outcome) => outcome.refused !== undefined)
  const failed = outcomes.filter(({ fault }) => fault !== undefined)
  const codes = [...new Set(refused.map((outcome) => outcome.refused))].join(', ')
  const passed = outcomes.length - refused.length - failed.length
  const why = refused.length === 0 ? '0' : `${refused.length} (${codes})`
  return `| ${type} | ${choice} | ${passed} | ${why} | ${failed.length} |`
}

function textOf({ path }, value) {
  return `${path.join('.')} ${JSON.stringify(value)}`
}
