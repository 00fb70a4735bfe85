// The rows of the table: every way in which ours and the peer quantize to 8 bits.
import { fileURLToPath } from 'node:url'

import { STEP_TABLE } from '../../packages/recipe/dist/index.js'
import { JOB_SCRIPT } from './job.mjs'
import { writeJobPlan } from './plan.mjs'
import { runJson } from './processes.mjs'

const PEER_SCRIPT = fileURLToPath(new URL('../quantize_peer.py', import.meta.url))
const { choices: METHODS } = STEP_TABLE.quantize_static.parameters.calibration.parameters.method
const PEER_METHODS = ['MinMax', 'Percentile', 'Entropy']

/** Batches of the peer that hold this many samples where the model takes any number. */
const PEER_BATCHES = [32, 30, 25, 24, 20, 16, 10, 8, 5, 4, 2, 1]

export const DEFAULT_SCHEME = 'ours default'

/** What the peer does not do either: rows of a method compare calibrators and nothing else. */
const WITHOUT_SEARCH = {
  equalization: false,
  smooth_quant: false,
  bias_correction: 'none',
  sensitivity: 'none',
}

/** Ours: what a job's step does with no options, and each method of calibration by itself. */
const ours = [
  { label: DEFAULT_SCHEME, step: { type: 'quantize_static' } },
  ...METHODS.map((method) => ({
    label: `ours ${method}`,
    step: { type: 'quantize_static', calibration: { method }, ...WITHOUT_SEARCH },
  })),
  { label: 'ours dynamic', step: { type: 'quantize_dynamic' }, dynamic: true },
].map(({ label, step, dynamic = false }) => ({
  label,
  side: 'ours',
  dynamic,
  run: ({ inputs, out }) => runPlanned(step, { inputs, out }),
}))

async function runPlanned(step, { inputs, out }) {
  const path = `${out}.plan.json`
  try {
    writeJobPlan({ inputs, step, path })
  } catch (error) {
    return { error: String(error) }
  }
  return runJson(process.execPath, [JOB_SCRIPT, path, out])
}

const peer = ['per channel', 'per tensor'].flatMap((granularity) =>
  [...PEER_METHODS, 'Dynamic'].map((method) => ({
    label: `peer ${method}, ${granularity}`,
    side: 'peer',
    dynamic: method === 'Dynamic',
    run: ({ model, calibration, samples, fixedBatch, whole, out, python }) => {
      const batch = fixedBatch ?? PEER_BATCHES.find((size) => samples % size === 0)
      const flags = [
        ...(granularity === 'per tensor' ? ['--per-tensor'] : []),
        ...(whole ? ['--whole'] : []),
      ]
      const argv = [PEER_SCRIPT, model, calibration, '*', samples, batch, out, method]
      return runJson(python, [...argv, '--preprocess', ...flags])
    },
  })),
)

/** Alternating, so that a machine that slows down disturbs both sides alike. */
export function schemes({ withPeer }) {
  if (!withPeer) return ours
  return Array.from({ length: Math.max(ours.length, peer.length) }, (_, i) => [ours[i], peer[i]])
    .flat()
    .filter((scheme) => scheme !== undefined)
}

/** Which scheme of the peer does the same work as one of ours. */
export const COUNTERPARTS = {
  [DEFAULT_SCHEME]: 'peer MinMax, per channel',
  'ours minmax': 'peer MinMax, per channel',
  'ours percentile': 'peer Percentile, per channel',
  'ours entropy': 'peer Entropy, per channel',
  'ours dynamic': 'peer Dynamic, per channel',
}
