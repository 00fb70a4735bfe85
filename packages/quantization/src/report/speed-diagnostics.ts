// What the chosen scheme means for speed, where the caller may expect another.
import type { Diagnostic } from '@pare/graph'

import { hasIntegerKernels, type ResolvedStaticOptions } from '../static/options.js'
import type { LayerReport } from './report.js'

/** Says that a file is not meant to be faster, or that another scheme is. `paysOff`: layers that do not were left float. */
export function speedDiagnostics(
  options: ResolvedStaticOptions,
  layers: readonly LayerReport[],
  paysOff: boolean,
): readonly Diagnostic[] {
  const none = withoutKernels(options, layers)
  const slow = withSlowKernels(options)
  return [
    ...(none === undefined ? [] : [noSpeedUp(none)]),
    ...(slow === undefined ? [] : [slowKernels(slow)]),
    ...(paysOff ? [] : [CONVERSIONS_COST_MORE]),
  ]
}

const CONVERSIONS_COST_MORE: Diagnostic = {
  severity: 'warning',
  code: 'conversions_cost_more',
  message:
    'no layer saves what converting its input and output costs; all are in integers nevertheless, for the size: expect it to be slower than the float model (quantize_weights keeps the arithmetic float)',
}

function withoutKernels(
  options: ResolvedStaticOptions,
  layers: readonly LayerReport[],
): string | undefined {
  if (!hasIntegerKernels(options)) return `the activations are ${options.activationType}`
  const blocked = layers.filter(({ weight }) => weight?.granularity === 'blocked').length
  return blocked === 0 ? undefined : `${blocked} layers have weights in blocks`
}

/** Measured with onnxruntime 1.30 and VNNI on a small ResNet, against uint8 × int8 as QDQ. */
function withSlowKernels({ activationType, weightType, format, isa }: ResolvedStaticOptions) {
  if (isa === 'neon') return undefined
  if (activationType === 'int8' && format === 'QOperator') {
    return 'operators on int8 activations take about ten times as long; use uint8, or QDQ'
  }
  if (activationType === 'uint8' && weightType === 'uint8') {
    return 'uint8 weights take about twice as long as int8 on processors with VNNI'
  }
  return undefined
}

function noSpeedUp(why: string): Diagnostic {
  const message = `no CPU speed-up: ${why}, for which onnxruntime has no integer kernels on a CPU`
  return { severity: 'info', code: 'no_cpu_speed_up', message }
}

function slowKernels(why: string): Diagnostic {
  return { severity: 'warning', code: 'slow_kernels', message: `slow on x86: ${why}` }
}
