// Rules:
// 1. A graph input that has an initializer is an overridable default (IR version 4 and later) or
//    merely listed, as older files had to do. The input goes, the initializer becomes a constant:
//    only constants can be quantized or folded.
// 2. Each frozen input of an IR version ≥ 4 model is a diagnostic, since it cannot be fed any more.
import { editGraph, type Model, type Pass, type PassResult } from '@pare/graph'

/** First IR version in which initializers need not be graph inputs. */
const IR_WITHOUT_LISTED_INITIALIZERS = 4

export function freezeInitializers(): Pass {
  return { name: 'freeze_initializers', run }
}

function run(model: Model): PassResult {
  const { inputs, initializers } = model.graph
  const frozen = inputs.filter(({ name }) => initializers.has(name))
  if (frozen.length === 0) return { model, modified: false, diagnostics: [] }
  const editor = editGraph(model)
  editor.setInputs(inputs.filter(({ name }) => !initializers.has(name)))
  const wasOptional = model.irVersion >= IR_WITHOUT_LISTED_INITIALIZERS
  return {
    model: editor.finish(),
    modified: true,
    diagnostics: frozen
      .filter(() => wasOptional)
      .map(({ name }) => ({
        severity: 'info',
        code: 'input_frozen',
        message: `input ${name} has a default, which is now a constant: it can no longer be fed`,
      })),
  }
}
