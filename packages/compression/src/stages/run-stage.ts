// Where an order becomes a stage: the kind is looked up in the catalogue, and the inputs are checked
// against its row. The parameters are the planner's, who took their type from the same row.
import type { JsonObject } from '@pare/recipe'

import { errors } from '../errors.js'
import type { StageContext, StageInput, StageResult, StageSetting } from './stage.js'
import { STAGE_MODULES } from './stage-modules.js'
import type { InputRule } from './stage-spec.js'
import { STAGE_KINDS, STAGE_TABLE, type StageKind } from './stage-table.js'

/** What a stage is to do, as it comes through a queue: the form of the parameters is not known. */
export interface StageOrder extends StageSetting {
  readonly params: JsonObject
}

/** @throws stage_input_missing, stage_input_unknown, and what the stage throws */
export async function runStage(kind: StageKind, order: StageOrder): Promise<StageResult> {
  checkInputs(kind, order.inputs)
  return runOfKind(kind, order)
}

async function runOfKind<Kind extends StageKind>(
  kind: Kind,
  order: StageOrder & Partial<StageContext<Kind>>,
): Promise<StageResult> {
  const { run } = await STAGE_MODULES[kind].module()
  return run(order)
}

/** Loads the modules of all kinds: whoever waits for work has nothing better to do. */
export async function loadStages(): Promise<void> {
  await Promise.all(STAGE_KINDS.map((kind) => STAGE_MODULES[kind].module()))
}

function checkInputs(kind: StageKind, inputs: readonly StageInput[]): void {
  const rules: Readonly<Record<string, InputRule>> = STAGE_TABLE[kind].inputs
  const given = inputs.map(({ role }) => role)
  const missing = Object.keys(rules).find((role) => rules[role] === 'one' && !given.includes(role))
  if (missing !== undefined) {
    throw errors.stage_input_missing(`${kind} was started without its input "${missing}"`, {
      details: { role: missing, given },
    })
  }
  const unknown = given.find((role) => !isTaken(rules, role))
  if (unknown === undefined) return
  throw errors.stage_input_unknown(`${kind} does not take the input "${unknown}"`, {
    details: { role: unknown, takes: Object.keys(rules) },
  })
}

function isTaken(rules: Readonly<Record<string, InputRule>>, role: string): boolean {
  const [name = '', label] = role.split('/', 2)
  return label === undefined ? name in rules && rules[name] !== 'many' : rules[name] === 'many'
}
