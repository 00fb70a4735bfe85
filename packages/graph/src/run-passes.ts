import { CodedError } from '@pare/errors'

import { checkModel } from './check-model.js'
import { errors } from './errors.js'
import type { Model } from './model.js'
import type { Diagnostic, Pass, PassResult } from './pass.js'

export interface RunPassesOptions {
  /** Check the model before the first and after each pass (tests, debugging). Default false. */
  readonly check?: boolean
}

/**
 * Runs passes in order. With `check`, a pass whose result breaks a rule of `checkModel` throws
 * `pass_broke_model`, which names it and the passes before it.
 */
export function runPasses(
  model: Model,
  passes: readonly Pass[],
  options: RunPassesOptions = {},
): PassResult {
  if (options.check === true) checkModel(model)
  const diagnostics: Diagnostic[] = []
  const done: string[] = []
  let current = model
  let modified = false
  for (const pass of passes) {
    const result = pass.run(current)
    current = result.model
    modified ||= result.modified
    diagnostics.push(...result.diagnostics)
    if (options.check === true) checkAfter(pass.name, done, current)
    done.push(pass.name)
  }
  return { model: current, modified, diagnostics }
}

function checkAfter(pass: string, done: readonly string[], model: Model): void {
  try {
    checkModel(model)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    throw errors.pass_broke_model(
      `pass "${pass}" (after ${done.join(', ') || 'none'}) broke the model: ${error.message}`,
      { cause: error, details: { pass, after: done, ...error.details } },
    )
  }
}

/** Several passes as one, in order. */
export function sequence(name: string, passes: readonly Pass[]): Pass {
  return { name, run: (model) => runPasses(model, passes) }
}

export interface RepeatOptions {
  readonly maxRounds: number
}

/** Runs passes round after round until a round changes nothing; diagnostics of the last round. */
export function repeat(name: string, passes: readonly Pass[], options: RepeatOptions): Pass {
  const run = (model: Model): PassResult => {
    let current: PassResult = { model, modified: false, diagnostics: [] }
    for (let round = 0; round < options.maxRounds; round++) {
      const next = runPasses(current.model, passes)
      current = { ...next, modified: current.modified || next.modified }
      if (!next.modified) break
    }
    return current
  }
  return { name, run }
}
