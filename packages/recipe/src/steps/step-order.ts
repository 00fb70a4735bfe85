// Which step can follow which: each takes some forms of a model and gives one back.
import type { RequestFault } from '../errors.js'
import { FIRST_FORM, type Form } from '../language/form.js'
import type { StepSpec } from '../language/parameter.js'
import type { RangedStep, Step } from './recipe.js'
import { STEP_TABLE, type StepType } from './step-table.js'

/** Why a model of a form takes no further step. */
const WORDS: Readonly<Record<Form, string>> = {
  trainable: 'its layers are as they were trained',
  folded: 'its layers are folded already',
  integer: 'the model computes in integers already',
  narrow: 'the weights are narrow already',
  float16: 'the model is in float16 already',
}

interface Standing {
  readonly form: Form
  /** The step that gave the form; undefined: the model came with it. */
  readonly by?: StepType
}

/**
 * The steps of a recipe that cannot stand where they stand, each with the reason and the order that
 * would work. After one such the rest is not looked at.
 */
export function checkStepOrder(steps: readonly Step[]): readonly RequestFault[] {
  let standing: Standing = { form: FIRST_FORM }
  for (const [i, step] of steps.entries()) {
    const pointer = `#/recipe/steps/${i}`
    const outcome =
      step.type === 'repeat'
        ? walkRound(step.steps, standing, `${pointer}/steps`)
        : walkStep(step.type, standing, pointer)
    if ('code' in outcome) return [outcome]
    standing = outcome
  }
  return []
}

/** A round starts where the last one ended, so it has to give back the form that it takes. */
function walkRound(
  steps: readonly RangedStep[],
  before: Standing,
  pointer: string,
): Standing | RequestFault {
  let standing = before
  for (const [i, { type }] of steps.entries()) {
    const outcome = walkStep(type, standing, `${pointer}/${i}`)
    if ('code' in outcome) return outcome
    if (outcome.form !== standing.form) {
      const detail = `${type} cannot be repeated: after it ${WORDS[outcome.form]}; put it behind the repeat`
      return { pointer: `${pointer}/${i}`, code: 'step_order', detail }
    }
    standing = outcome
  }
  return standing
}

function walkStep(type: StepType, before: Standing, pointer: string): Standing | RequestFault {
  const row: StepSpec = STEP_TABLE[type]
  if (row.takes.includes(before.form)) {
    return row.gives === 'same' ? before : { form: row.gives, by: type }
  }
  const first = before.by === undefined ? 'this model' : before.by
  const detail = `${type} cannot follow ${first}: ${WORDS[before.form]}; ${remedy(type, before)}`
  return { pointer, code: 'step_order', detail }
}

function remedy(type: StepType, { by }: Standing): string {
  if (by === undefined) return 'leave it out'
  const row: StepSpec = STEP_TABLE[type]
  const after: StepSpec = STEP_TABLE[by]
  const given = row.gives === 'same' ? FIRST_FORM : row.gives
  return after.takes.includes(given) ? `put ${type} before ${by}` : 'keep one of the two'
}
