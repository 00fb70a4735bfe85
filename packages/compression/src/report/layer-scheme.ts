// In words: what the numbers of a layer are written in. Steps describe their layers each in their own
// way; what is not known is left out.
import { isRecord } from '@pare/recipe'

import type { DecidedLayer } from './decisions.js'

type Described = Pick<DecidedLayer, 'decision' | 'input' | 'outputValue' | 'weight' | 'computedIn'>

export function schemeOf(layer: Described): string {
  const { decision, weight } = layer
  if (decision === 'float' || decision === 'float32') return 'float32'
  if (decision !== 'integer' && decision !== 'quantized') return narrowScheme(layer)
  const parts = isRecord(weight)
    ? 'bits' in weight
      ? packedWeight(weight)
      : integerWeight(weight)
    : []
  const activation = activationType(layer)
  const all = activation === undefined ? parts : [activation, ...parts]
  return all.length === 0 ? 'integers' : all.join(', ')
}

function narrowScheme({ decision, computedIn }: Described): string {
  return typeof computedIn === 'string' && computedIn !== decision
    ? `${decision}, computed in ${computedIn}`
    : decision
}

function activationType({ input, outputValue, weight }: Described): string | undefined {
  const value = isRecord(input) ? input : isRecord(outputValue) ? outputValue : undefined
  const type = value?.['type']
  if (typeof type === 'string') return `${type} activations`
  return isRecord(weight) && !('bits' in weight) ? 'activations at run time' : undefined
}

const GRANULARITY: Readonly<Record<string, string>> = {
  blocked: 'in blocks',
  per_channel: 'per channel',
  per_tensor: 'per tensor',
}

const WEIGHT_RANGE: Readonly<Record<string, string>> = {
  reduced: '7 bits',
  pairwise: 'no pair saturates',
}

function integerWeight(weight: Readonly<Record<string, unknown>>): readonly string[] {
  const { type, granularity, range } = weight
  const words = [
    typeof type === 'string' ? `${type} weights` : 'integer weights',
    GRANULARITY[String(granularity)] ?? '',
  ]
  const bits = WEIGHT_RANGE[String(range)]
  return [words.filter((word) => word !== '').join(' '), ...(bits === undefined ? [] : [bits])]
}

function packedWeight(weight: Readonly<Record<string, unknown>>): readonly string[] {
  const { bits, blockSize, symmetric, algorithm, format } = weight
  const words: unknown[] = [
    `${String(bits)}-bit weights`,
    typeof blockSize === 'number' && blockSize > 0 ? `blocks of ${blockSize}` : undefined,
    symmetric === true ? 'symmetric' : undefined,
    algorithm,
    format,
  ]
  return words.filter((word): word is string => typeof word === 'string')
}
