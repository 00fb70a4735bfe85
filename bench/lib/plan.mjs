// Plans jobs as the API does when a request arrives: by the parser, which fills in the defaults, and
// the planner of @pare/compression.
import { readFileSync, writeFileSync } from 'node:fs'

import { planJob } from '../../packages/compression/dist/index.js'
import { parseJobRequest } from '../../packages/recipe/dist/index.js'

/** The plan of a job with this one step. Throws what the service would refuse it with. */
export function planOf(known, step) {
  const request = parseJobRequest({
    model: 'bench',
    datasets: { calibration: 'bench' },
    recipe: { steps: [step] },
  })
  return planJob(request, {
    model: known.model,
    datasets: { calibration: known.calibration },
  })
}

/** Plans a job for what `writeJobInputs` wrote, into a file that the script of `job.mjs` reads. */
export function writeJobPlan({ inputs, step, path }) {
  const known = JSON.parse(readFileSync(inputs, 'utf8'))
  writeFileSync(path, JSON.stringify({ known, plan: planOf(known, step) }))
}
