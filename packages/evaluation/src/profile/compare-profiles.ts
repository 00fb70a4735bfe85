import { modelOf, sessionSource } from '../model/model-source.js'
import type { EvaluationResult } from '../result.js'
import { servedFeeds, type Setting } from '../setting.js'
import { opCosts } from './op-costs.js'
import { type ModelProfile, profileModel } from './profile-model.js'

/** Where the time and the bytes of both models go. */
export async function compareProfiles(
  setting: Setting,
): Promise<Pick<EvaluationResult, 'profile' | 'op_types'>> {
  const { models } = setting
  const original = await profileOf(setting, 'original')
  const result = original === null ? null : await profileOf(setting, 'result')
  return {
    profile: original === null || result === null ? null : { original, result },
    op_types: opCosts(
      { model: models.original, profile: original },
      { model: models.result, profile: result },
    ),
  }
}

async function profileOf(
  setting: Setting,
  which: 'original' | 'result',
): Promise<ModelProfile | null> {
  const { options, models, session } = setting
  if (options.trace === undefined) return null
  return profileModel({
    source: sessionSource(options[which]),
    model: models[which],
    ...(which === 'result' && options.layers !== undefined
      ? { prepared: modelOf(options.layers.prepared) }
      : {}),
    session,
    feeds: await servedFeeds(setting),
    trace: options.trace,
  })
}
