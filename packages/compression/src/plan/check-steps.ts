// What the parameters of one step cannot be together, known before the job is accepted. Each
// combination that is left runs (packages/quantization/src/weights/combinations.test.ts).
import { WEIGHT_OP_TYPES } from '@pare/quantization'

import { errors, type RequestFault } from '../errors.js'
import type { Step, StepOf } from '../recipe/recipe.js'

/** @throws recipe_invalid, pointing at each parameter that does not go with the others */
export function checkStep(step: Step, pointer: string): void {
  const faults = step.type === 'quantize_weights' ? weightFaults(step, pointer) : []
  const [first] = faults
  if (first === undefined) return
  throw errors.recipe_invalid(`${first.pointer}: ${first.detail}`, { details: { errors: faults } })
}

function weightFaults(
  { bits, format, op_types_to_quantize: opTypes }: StepOf<'quantize_weights'>,
  pointer: string,
): readonly RequestFault[] {
  const fault = (parameter: string, detail: string): RequestFault => {
    return { pointer: `${pointer}/${parameter}`, code: 'parameter_invalid', detail }
  }
  const faults: RequestFault[] = []
  if (bits === 2 && format === 'QDQ') {
    const detail = 'DequantizeLinear has no 2-bit data before opset 25; use 4 bits, or MatMulNBits'
    faults.push(fault('bits', detail))
  }
  for (const [i, opType] of opTypes.entries()) {
    const at = `op_types_to_quantize/${i}`
    if (!WEIGHT_OP_TYPES.some((known) => known === opType)) {
      faults.push(fault(at, `expected one of ${WEIGHT_OP_TYPES.join(', ')}`))
    } else if (opType === 'Conv' && format === 'MatMulNBits') {
      faults.push(fault(at, 'there is no MatMulNBits of a Conv; use format QDQ'))
    } else if (opType === 'Gather' && bits === 2) {
      faults.push(fault(at, 'a Gather reads 4 and 8 bits'))
    }
  }
  return faults
}
