// Parameters of a step that exclude each other. Each is valid alone, so the table of steps cannot say.
import type { Step, StepOf } from './recipe.js'
import {
  type ActivationType,
  FLOAT8,
  staticContradictions,
  type WeightType,
} from './static-types.js'

export interface Contradiction {
  /** The parameter to change. */
  readonly parameter: string
  readonly detail: string
}

export function contradictions(step: Step): readonly Contradiction[] {
  switch (step.type) {
    case 'quantize_static':
      return isInteger(step) ? staticOnes(step) : float8Ones(step)
    case 'quantize_weights':
      return weightOnes(step)
    default:
      return []
  }
}

const WIRE_NAMES = {
  activationType: 'activation_type',
  weightType: 'weight_type',
  format: 'format',
  blockSize: 'block_size',
} as const

/** A static step whose types are integers. */
export type IntegerStep<Step> = Step & {
  readonly activation_type: ActivationType
  readonly weight_type: WeightType
}

/** Whether the step makes integers, and not float8. */
export function isInteger<Step extends Pick<StaticStep, 'activation_type' | 'weight_type'>>(
  step: Step,
): step is IntegerStep<Step> {
  return step.activation_type !== FLOAT8 && step.weight_type !== FLOAT8
}

type StaticStep = StepOf<'quantize_static'>

function float8Ones(step: StaticStep): readonly Contradiction[] {
  const found: Contradiction[] = []
  for (const parameter of ['activation_type', 'weight_type'] as const) {
    if (step[parameter] === FLOAT8) continue
    found.push({ parameter, detail: `${FLOAT8} goes with ${FLOAT8} only: name it for both types` })
  }
  if (step.format !== 'QDQ') {
    found.push({ parameter: 'format', detail: `there are no operators for ${FLOAT8}; use QDQ` })
  }
  if (step.block_size > 0) {
    found.push({ parameter: 'block_size', detail: `${FLOAT8} has no blocks; use 0` })
  }
  return found
}

function weightOnes({ bits, format }: StepOf<'quantize_weights'>): readonly Contradiction[] {
  if (bits !== 2 || format !== 'QDQ') return []
  const detail = 'DequantizeLinear has no 2-bit data before opset 25; use 4 bits, or MatMulNBits'
  return [{ parameter: 'bits', detail }]
}

function staticOnes(step: IntegerStep<StaticStep>): readonly Contradiction[] {
  return staticContradictions({
    activationType: step.activation_type,
    weightType: step.weight_type,
    format: step.format,
    blockSize: step.block_size,
  }).map(({ option, message }) => ({ parameter: WIRE_NAMES[option], detail: message }))
}
