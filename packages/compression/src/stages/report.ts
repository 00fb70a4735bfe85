import { type DataQuality, parseStatistics } from '@pare/calibration'
import type { EvaluationResult, Measurement } from '@pare/evaluation'
import type { JsonObject } from '@pare/recipe'

import { errors } from '../errors.js'
import { buildReport } from '../report/build-report.js'
import type { Decisions } from '../report/decisions.js'
import { renderReport } from '../report/html/render-report.js'
import type { ConstraintCheck, Report } from '../report/report.js'
import type { StepResult } from '../report/step-rows.js'
import type { StageContext, StageFunction, StageParams } from './stage.js'
import {
  hasInput,
  inputOf,
  inputsOf,
  labelled,
  readJson,
  writeJson,
  writeOutput,
} from './stage-files.js'

/**
 * Gathers what the other stages found and judges the constraints.
 *
 * Inputs `original`, `result`, `preparation`, `evaluation`, `data`, by step `decisions` and
 * `measurements`, and where there are any `statistics` and `data_quality`; params as the catalogue's.
 * Outputs `report`, and `page`, the same for people to read; fails the job with `constraint_unmet`,
 * keeping the result, when a constraint does not hold.
 */
export const run: StageFunction<'report'> = async (context) => {
  const document = await readReport(context)
  const unmet = document.constraints.filter(({ met }) => !met)
  return {
    outputs: [await writeJson(context, 'report', document), await writePage(context, document)],
    metrics: headline(document),
    ...(unmet.length === 0 ? {} : { failure: constraintUnmet(unmet, context.params.steps) }),
  }
}

async function readReport(context: StageContext<'report'>): Promise<Report> {
  const { params, seed, inputs } = context
  const statistics = hasInput(context, 'statistics')
    ? parseStatistics(await readJson(inputOf(context, 'statistics')))
    : undefined
  const dataQuality = hasInput(context, 'data_quality')
    ? await readJson<DataQuality>(inputOf(context, 'data_quality'))
    : undefined
  return buildReport({
    ...{ params, seed, inputs },
    evaluation: await readJson<EvaluationResult>(inputOf(context, 'evaluation')),
    preparation: await readJson<Decisions>(inputOf(context, 'preparation')),
    steps: await readSteps(context),
    ...(statistics === undefined ? {} : { statistics }),
    ...(dataQuality === undefined ? {} : { dataQuality }),
  })
}

async function readSteps(context: StageContext<'report'>): Promise<readonly StepResult[]> {
  const decisions = inputsOf(context, 'decisions')
  const measurements = inputsOf(context, 'measurements')
  return Promise.all(
    context.params.steps.map(async (step) => {
      const measured = measurements.get(step.label)
      return {
        ...step,
        decisions: await readJson<Decisions>(labelled(decisions, step.label)),
        ...(measured === undefined ? {} : { measurement: await readJson<Measurement>(measured) }),
      }
    }),
  )
}

function writePage(context: StageContext<'report'>, document: Report) {
  const output = {
    role: 'page' as const,
    fileName: 'report.html',
    mediaType: 'text/html; charset=utf-8',
  }
  return writeOutput(context, output, renderReport(document))
}

/** The few figures that lists and webhooks carry. */
function headline({ evaluation: { primary, ratios }, constraints }: Report): JsonObject {
  return {
    metric: primary.name,
    original: primary.original,
    result: primary.result,
    drop: primary.drop,
    size_ratio: ratios.size,
    speed_ratio: ratios.speed,
    memory_ratio: ratios.memory,
    constraints_met: constraints.every(({ met }) => met),
  }
}

function constraintUnmet(unmet: readonly ConstraintCheck[], steps: StageParams<'report'>['steps']) {
  const list = unmet.map(
    ({ name, limit, measured }) =>
      `${name} is ${limit} and ${measured === null ? 'an error appeared where there was none' : `the drop is ${measured.toPrecision(3)}`}`,
  )
  return errors
    .constraint_unmet(
      `${list.join('; ')}: the best candidate is kept among the artifacts; allow a larger drop${adviceFor(steps)}, or exclude the layers that lose most (nodes_to_exclude)`,
      { details: { constraints: unmet } },
    )
    .toJSON()
}

/** What else there is to change, in the recipe that was followed. */
function adviceFor(steps: StageParams<'report'>['steps']): string {
  const types = new Set(steps.map(({ step }) => step.type))
  const advice = [
    types.has('prune_weights') ? ', prune less' : '',
    types.has('quantize_static') ? ', calibrate on more data' : '',
  ]
  return advice.join('')
}
