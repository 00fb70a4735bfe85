import { evaluate as evaluateModels, type EvaluationProgress } from '@pare/evaluation'
import { measureMemory } from '@pare/evaluation/node'
import { type StageProgress, toJsonObject } from '@pare/recipe'

import type { StageFunction } from './stage.js'
import { openStageData } from './stage-data.js'
import { inputOf, readStoredModel, releaseMemory, writeJson } from './stage-files.js'
import { traceRuns } from './trace-runs.js'

/**
 * Runs original and result on the same data, in fresh sessions with the target's options.
 *
 * Inputs `original`, `prepared`, `result`, `data`; params see above. Output `evaluation`, an
 * EvaluationResult.
 */
export const run: StageFunction<'evaluate'> = async (context) => {
  const { metric, output, labels, also = [], device, threads } = context.params
  const { dataset, close } = await openStageData(context, 'data', { labels })
  try {
    const original = await readStoredModel(context, 'original')
    const result = await readStoredModel(context, 'result')
    const prepared = await readStoredModel(context, 'prepared')
    releaseMemory()
    const evaluation = await evaluateModels({
      runtime: context.runtime,
      original,
      result,
      dataset,
      metric,
      ...(output === undefined ? {} : { output }),
      also,
      target: { device, threads },
      layers: { prepared },
      trace: traceRuns(context),
      measureMemory: ({ model, ...request }) =>
        measureMemory({
          modelPath: inputOf(context, model).path,
          datasetPath: inputOf(context, 'data').path,
          ...(labels === undefined ? {} : { labels }),
          ...request,
        }),
      onProgress: (progress) => context.onProgress(percentOf(progress)),
    })
    const { primary, ratios } = evaluation
    return {
      outputs: [await writeJson(context, 'evaluation', evaluation)],
      metrics: {
        metric: primary.name,
        original: primary.original,
        result: primary.result,
        drop: primary.drop,
        ...toJsonObject(ratios),
      },
    }
  } finally {
    await close()
  }
}

/** Judging on the data takes about this share of the time; the measurements take the rest. */
const JUDGING_PERCENT = 50

/** One scale for all of it, so that progress only grows. */
function percentOf({ done, total, unit, message }: EvaluationProgress): StageProgress {
  const share = total === 0 ? 0 : done / total
  const percent =
    unit === 'samples' ? share * JUDGING_PERCENT : JUDGING_PERCENT + share * (99 - JUDGING_PERCENT)
  return { done: Math.round(percent), total: 100, unit: 'percent', message }
}
