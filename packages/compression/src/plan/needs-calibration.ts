import type { Step } from '@pare/recipe'

/** Whether the step looks at calibration data. */
export function calibrates(step: Pick<Step, 'type'> & { readonly algorithm?: unknown }): boolean {
  switch (step.type) {
    case 'quantize_static':
      return true
    case 'quantize_weights':
      return step.algorithm === 'gptq' || step.algorithm === 'awq'
    default:
      return false
  }
}
