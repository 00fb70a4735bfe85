// The techniques of the search, in the order in which they are tried: what moves ranges between
// channels first, then how weights are rounded, and last the mean of what is still wrong.
import type { BiasCorrectionMethod } from '@pare/recipe'

import { correctBias } from '../bias/bias-correction.js'
import { collectChannelMaxima } from '../equalization/channel-maxima.js'
import { clipPoints, equalizeLayers, spreadOf } from '../equalization/equalize.js'
import { smoothPoints, smoothQuant } from '../equalization/smooth.js'
import { adaRound } from '../rounding/adaround.js'
import type { ChosenTechnique } from './search-input.js'
import type { Technique } from './technique.js'

/** What the caller wants of each technique: `auto` tries it where there are signs that it helps. */
export interface TechniqueOptions {
  readonly equalization: 'auto' | boolean
  readonly smoothQuant: 'auto' | boolean
  readonly smoothQuantAlpha: number
  readonly rounding: 'nearest' | 'adaround'
  readonly biasCorrection: 'auto' | 'none' | BiasCorrectionMethod
}

export function chooseTechniques(options: TechniqueOptions): readonly ChosenTechnique[] {
  const { equalization, smoothQuant: smooth, smoothQuantAlpha, biasCorrection } = options
  const method = biasCorrection === 'full' ? 'full' : 'fast'
  return [
    ...chosen(equalization, EQUALIZATION),
    ...chosen(smooth, smoothing(smoothQuantAlpha)),
    ...chosen(options.rounding === 'adaround', ADAROUND),
    ...chosen(biasCorrection === 'auto' ? 'auto' : biasCorrection !== 'none', biasBy(method)),
  ]
}

function chosen(wanted: 'auto' | boolean, technique: Technique): readonly ChosenTechnique[] {
  if (wanted === false) return []
  return [{ technique, mode: wanted === 'auto' ? 'try' : 'use' }]
}

/** Channels that differ less are no burden to per-channel weights and one scale per activation. */
const WORTH_A_TRY = 4

const EQUALIZATION: Technique = {
  name: 'equalization',
  description: 'Cross-layer equalization: the channels between two layers scaled alike.',
  movesRanges: true,
  async propose({ model }, { source, samples }, asked) {
    // Scaling through a bounded Clip holds for the data looked at only: not unasked.
    const points = asked ? clipPoints(model) : []
    const clipMaxima = await collectChannelMaxima({ model, points, source, samples })
    const minSpread = asked ? 1 : WORTH_A_TRY
    const equalized = equalizeLayers(model, { clipMaxima, minSpread })
    if (equalized.pairs.length === 0) return { nothing: 'no two layers to equalize' }
    const spread = spreadOf(equalized.pairs)
    if (spread < minSpread) {
      return { nothing: `the channels of ${equalized.pairs.length} pairs of layers are alike` }
    }
    return {
      model: equalized.model,
      changed: equalized.changed,
      note: `${equalized.pairs.length} pairs of layers, channels scaled by up to ${spread.toFixed(1)}`,
      diagnostics: equalized.diagnostics,
    }
  },
}

function smoothing(alpha: number): Technique {
  return {
    name: 'smooth_quant',
    description: `SmoothQuant: outliers of activations moved into the weights, alpha ${alpha}.`,
    movesRanges: true,
    async propose({ model }, { source, samples }, asked) {
      const points = smoothPoints(model)
      if (points.length === 0) return { nothing: 'no layer whose input can be smoothed' }
      const isWorthMore = (maxima: ReadonlyMap<string, Float32Array>) =>
        outlierOf(maxima) >= WORTH_A_TRY
      const glance = asked ? {} : { glance: { samples: FEW_SAMPLES, isWorthMore } }
      const channelMaxima = await collectChannelMaxima({
        model,
        points,
        source,
        samples,
        ...glance,
      })
      const outlier = outlierOf(channelMaxima)
      if (!asked && outlier < WORTH_A_TRY) {
        return { nothing: `the largest channel is ${outlier.toFixed(1)} times the median one` }
      }
      const smoothed = smoothQuant(model, { channelMaxima, alpha })
      if (smoothed.smoothed.length === 0) return { nothing: 'nothing before a layer can absorb it' }
      return {
        model: smoothed.model,
        changed: smoothed.changed,
        note: `${smoothed.smoothed.length} activations, outliers up to ${outlier.toFixed(1)} times the median`,
        diagnostics: smoothed.diagnostics,
      }
    },
  }
}

/** Enough to see whether a channel stands out. */
const FEW_SAMPLES = 16

/** Greatest channel by the median one, of the activation where that is most. */
function outlierOf(maxima: ReadonlyMap<string, Float32Array>): number {
  return Math.max(...[...maxima.values()].map(greatestByMedian))
}

function greatestByMedian(maxima: Float32Array): number {
  const sorted = maxima.toSorted()
  const median = sorted[sorted.length >> 1] ?? 0
  return median > 0 ? sorted.at(-1)! / median : 1
}

const ADAROUND: Technique = {
  name: 'adaround',
  description: 'AdaRound: each weight rounded up or down as the layer’s output needs it.',
  async propose({ model, statistics, result }, { source }) {
    const rounded = await adaRound({ model, quantized: result, source })
    if (rounded.rounded.length === 0) return { nothing: 'no layer whose rounding can be learned' }
    const flipped = rounded.rounded.reduce((sum, layer) => sum + layer.flipped, 0)
    return {
      model: rounded.model,
      statistics,
      note: `${rounded.rounded.length} layers, ${flipped} weights rounded the other way`,
      diagnostics: rounded.diagnostics,
    }
  },
}

function biasBy(method: BiasCorrectionMethod): Technique {
  return {
    name: 'bias_correction',
    description: `Bias correction (${method}): the mean error of each layer taken out of its bias.`,
    async propose({ model, statistics, result }, { source, samples }) {
      const corrected = await correctBias({ model, quantized: result, source, method, samples })
      const { corrections, diagnostics } = corrected
      if (corrections.length === 0) return { nothing: 'no layer has a mean error to correct' }
      const note = `${corrections.length} layers`
      return { model: corrected.model, statistics, note, diagnostics }
    },
  }
}
