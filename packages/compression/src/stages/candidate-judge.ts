import { judgePrimary } from '@pare/evaluation'
import type { Model } from '@pare/graph'
import { encodeModel } from '@pare/onnx'
import type { Verdict } from '@pare/quantization'

import type { StageSetting } from './stage.js'
import { openStageData } from './stage-data.js'
import { readStoredModel } from './stage-files.js'
import type { Judging } from './stage-table.js'

/** Judges candidates on the input `data`, beside the input `original`. */
export function candidateJudge(
  context: StageSetting<'original' | 'data'>,
  { metric, output, labels, threads, device, max_drop: limit }: Judging,
): (candidate: Model) => Promise<Verdict> {
  return async (candidate) => {
    const { dataset, close } = await openStageData(context, 'data', { labels })
    try {
      const { drop } = await judgePrimary({
        runtime: context.runtime,
        original: await readStoredModel(context, 'original'),
        result: encodeModel(candidate),
        dataset,
        metric,
        ...(output === undefined ? {} : { output }),
        target: { device, threads },
      })
      return { drop, met: drop !== null && drop <= limit }
    } finally {
      await close()
    }
  }
}
