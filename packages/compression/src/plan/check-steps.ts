// What one step cannot do, with regard to the target too. Parameters that merely exclude each other
// are refused earlier (recipe/contradictions.ts).
import {
  FLOAT8,
  type JobRequest,
  recipeErrors,
  type RequestFault,
  type Step,
  type StepOf,
  WEIGHT_OP_TYPES,
} from '@pare/recipe'

/** @throws recipe_invalid, pointing at each element that does not go with the others */
export function checkStep(step: Step, pointer: string, target: JobRequest['target']): void {
  const faults = faultsOf(step, pointer, target)
  const [first] = faults
  if (first === undefined) return
  throw recipeErrors.recipe_invalid(`${first.pointer}: ${first.detail}`, {
    details: { errors: faults },
  })
}

function faultsOf(
  step: Step,
  pointer: string,
  { device }: JobRequest['target'],
): readonly RequestFault[] {
  switch (step.type) {
    case 'quantize_weights':
      return opTypeFaults(step, `${pointer}/op_types_to_quantize`)
    case 'quantize_static':
      return step.activation_type === FLOAT8 && device === 'cpu' ? [NO_FLOAT8] : []
    default:
      return []
  }
}

const NO_FLOAT8: RequestFault = {
  pointer: '#/target/device',
  code: 'device_unsuitable',
  detail: `${FLOAT8} is for GPUs: onnxruntime's CPU provider does not load such a model; choose cuda`,
}

/** Each combination that is left runs: weights/combinations.test.ts of @pare/quantization. */
function opTypeFaults(
  { bits, format, op_types_to_quantize: opTypes }: StepOf<'quantize_weights'>,
  pointer: string,
): readonly RequestFault[] {
  return opTypes.flatMap((opType, i) => {
    const detail = opTypeProblem(opType, { bits, format })
    return detail === undefined
      ? []
      : [{ pointer: `${pointer}/${i}`, code: 'parameter_invalid', detail }]
  })
}

function opTypeProblem(
  opType: string,
  { bits, format }: Pick<StepOf<'quantize_weights'>, 'bits' | 'format'>,
): string | undefined {
  if (!WEIGHT_OP_TYPES.some((known) => known === opType)) {
    return `expected one of ${WEIGHT_OP_TYPES.join(', ')}`
  }
  if (opType.startsWith('Conv') && format === 'MatMulNBits') {
    return `there is no MatMulNBits of a ${opType}; use format auto or QDQ`
  }
  const isRefused = opType === 'Gather' && bits === 2 && format === 'MatMulNBits'
  return isRefused ? 'a Gather reads 4 and 8 bits' : undefined
}
