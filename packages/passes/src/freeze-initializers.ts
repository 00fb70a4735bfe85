// Rules:
// 1. A graph input that has an initializer is an overridable default (IR version 4 and later) or
//    merely listed, as older files had to do. The input goes, the initializer becomes a constant:
//    only constants can be quantized or folded.
// 2. The IR version rises to 4, the first in which initializers need not be listed: onnxruntime
//    refuses older files with an unlisted one.
// 3. Each frozen input of an IR version ≥ 4 model is a diagnostic, since it cannot be fed any more.
import type { Diagnostic, Model, Pass, PassResult } from '@pare/graph'

/** First IR version in which initializers need not be graph inputs. */
const IR_WITHOUT_LISTED_INITIALIZERS = 4

export function freezeInitializers(): Pass {
  return { name: 'freeze_initializers', run }
}

function run(model: Model): PassResult {
  const { inputs, initializers } = model.graph
  const isOld = model.irVersion < IR_WITHOUT_LISTED_INITIALIZERS
  const frozen = inputs.filter(({ name }) => initializers.has(name))
  if (frozen.length === 0 && !isOld) return { model, modified: false, diagnostics: [] }
  const graph = { ...model.graph, inputs: inputs.filter(({ name }) => !initializers.has(name)) }
  const irVersion = Math.max(model.irVersion, IR_WITHOUT_LISTED_INITIALIZERS)
  return {
    model: { ...model, irVersion, graph },
    modified: true,
    diagnostics: isOld ? [] : frozen.map(({ name }) => inputFrozen(name)),
  }
}

function inputFrozen(name: string): Diagnostic {
  return {
    severity: 'info',
    code: 'input_frozen',
    message: `input ${name} has a default, which is now a constant: it can no longer be fed`,
  }
}
