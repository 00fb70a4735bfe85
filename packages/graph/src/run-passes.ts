// The one way to run passes. A test run sets the mark (tests/setup/check-passes.ts): then the model
// is checked after each, however deep in the product it runs.
import { findModelFaults } from './check-model.js'
import { errors } from './errors.js'
import type { Model } from './model.js'
import type { AsyncPass, Diagnostic, Pass, PassResult } from './pass.js'

const CHECKED = Symbol.for('pare.checked_passes')

/**
 * Runs passes in order, some of which run the model. Where passes are checked, one that makes of a
 * valid model (`checkModel`) one that is not throws `pass_broke_model`, which names it and those
 * before it. Invalid models may come in: some passes are there to set nodes in order.
 */
export async function runPasses(
  model: Model,
  passes: readonly (Pass | AsyncPass)[],
): Promise<PassResult> {
  const run = new PassRun(model)
  for (const pass of passes) run.add(pass.name, await pass.run(run.model))
  return run.result()
}

/** The same for one pass, and at once. */
export function runPass(pass: Pass, model: Model): PassResult {
  return runInOrder(model, [pass])
}

function runInOrder(model: Model, passes: readonly Pass[]): PassResult {
  const run = new PassRun(model)
  for (const pass of passes) run.add(pass.name, pass.run(run.model))
  return run.result()
}

class PassRun {
  model: Model
  #isModified = false
  readonly #diagnostics: Diagnostic[] = []
  readonly #done: string[] = []
  readonly #isChecked = CHECKED in globalThis
  #isValid: boolean

  constructor(model: Model) {
    this.model = model
    this.#isValid = this.#isChecked && findModelFaults(model).length === 0
  }

  add(pass: string, { model, modified, diagnostics }: PassResult): void {
    this.model = model
    this.#isModified ||= modified
    this.#diagnostics.push(...diagnostics)
    if (this.#isChecked) this.#check(pass)
    this.#done.push(pass)
  }

  result(): PassResult {
    return { model: this.model, modified: this.#isModified, diagnostics: this.#diagnostics }
  }

  #check(pass: string): void {
    const [fault] = findModelFaults(this.model)
    if (fault !== undefined && this.#isValid) {
      const after = this.#done
      throw errors.pass_broke_model(
        `pass "${pass}" (after ${after.join(', ') || 'none'}) broke the model: ${fault.message}`,
        { details: { pass, after } },
      )
    }
    this.#isValid = fault === undefined
  }
}

/** Several passes as one, in order. */
export function sequence(name: string, passes: readonly Pass[]): Pass {
  return { name, run: (model) => runInOrder(model, passes) }
}

export interface RepeatOptions {
  readonly maxRounds: number
}

/** Runs passes round after round until a round changes nothing; diagnostics of the last round. */
export function repeat(name: string, passes: readonly Pass[], options: RepeatOptions): Pass {
  const run = (model: Model): PassResult => {
    let current: PassResult = { model, modified: false, diagnostics: [] }
    for (let round = 0; round < options.maxRounds; round++) {
      const next = runInOrder(current.model, passes)
      current = { ...next, modified: current.modified || next.modified }
      if (!next.modified) break
    }
    return current
  }
  return { name, run }
}
