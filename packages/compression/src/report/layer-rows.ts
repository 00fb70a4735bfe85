// The rows of the layer table: what the quantize stage decided, joined with what was measured.
import type { EvaluationResult, KernelProfile, ModelProfile } from '@pare/evaluation'
import { firstOf } from '@pare/graph'
import { isRecord } from '@pare/recipe'

import type { DecidedLayer } from './decisions.js'
import { schemeOf } from './layer-scheme.js'
import type { LayerRow, Range } from './report.js'

export function layerRows(
  step: string,
  layers: readonly DecidedLayer[],
  { layers: errors, profile }: Pick<EvaluationResult, 'layers' | 'profile'>,
): readonly LayerRow[] {
  const sqnr = new Map(errors.map((error) => [error.tensor, error.sqnr_db]))
  const original = kernelFinder(profile?.original)
  const result = kernelFinder(profile?.result)
  return layers.map((layer): LayerRow => {
    const names = namesOf(layer)
    const kernel = result(names)
    const own = kernel?.node === names.node ? kernel : undefined
    return {
      ...layer,
      step,
      scheme: schemeOf(layer),
      range: rangeOf(layer),
      sqnr_db: firstOf(valuesOf(names, own), (value) => sqnr.get(value) ?? undefined) ?? null,
      saturation_risk: saturationRisk(layer),
      kernel: kernelName(layer, kernel),
      share_of_time: own?.share ?? null,
      time_us: { original: ownTime(original(names), names), result: own?.time_us ?? null },
    }
  })
}

interface LayerNames {
  readonly node: string
  /** The layer's output, then under what names the result may have it. */
  readonly outputs: readonly string[]
}

function namesOf({ node, output, outputValue: written }: DecidedLayer): LayerNames {
  const outputs = [output, isRecord(written) ? written['name'] : undefined]
  return {
    node,
    outputs: outputs.filter((name): name is string => typeof name === 'string' && name !== ''),
  }
}

/** The layer's output; where that is no value of the result, the one in which its kernel ends. */
function valuesOf({ outputs }: LayerNames, kernel: KernelProfile | undefined): readonly string[] {
  return [...outputs, ...(kernel?.covers ?? []).toReversed()]
}

type KernelFinder = (names: LayerNames) => KernelProfile | undefined

/** A kernel known by the layer, else one that computes the layer beside others. */
function kernelFinder(profile: ModelProfile | undefined): KernelFinder {
  const byNode = new Map<string, KernelProfile>()
  const byOutput = new Map<string, KernelProfile>()
  for (const kernel of profile?.kernels ?? []) {
    if (kernel.node !== null && !byNode.has(kernel.node)) byNode.set(kernel.node, kernel)
    for (const output of kernel.covers) byOutput.set(output, kernel)
  }
  return ({ node, outputs }) =>
    byNode.get(node) ?? firstOf(outputs, (output) => byOutput.get(output))
}

function ownTime(kernel: KernelProfile | undefined, { node }: LayerNames): number | null {
  return kernel?.node === node ? kernel.time_us : null
}

/** What the read-back found is about this layer for certain. */
function kernelName(
  { kernel: readBack }: DecidedLayer,
  kernel: KernelProfile | undefined,
): string | null {
  return typeof readBack === 'string' ? readBack : (kernel?.kernel ?? null)
}

function rangeOf(layer: DecidedLayer): LayerRow['range'] {
  const input = rangeIn(layer.input)
  const output = rangeIn(layer.outputValue)
  return input === null && output === null ? null : { input, output }
}

function rangeIn(value: unknown): Range | null {
  const range = isRecord(value) ? value['range'] : undefined
  if (!isRecord(range)) return null
  const { min, max } = range
  return typeof min === 'number' && typeof max === 'number' ? { min, max } : null
}

function saturationRisk({ weight }: DecidedLayer): LayerRow['saturation_risk'] {
  if (!isRecord(weight)) return null
  const { saturationRisk: channels, channels: of } = weight
  return typeof channels === 'number' && typeof of === 'number' ? { channels, of } : null
}
