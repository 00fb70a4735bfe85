// The order in which passes run. Everything that compresses starts from a prepared model.
import {
  type AsyncPass,
  type Diagnostic,
  type Model,
  type Pass,
  repeat,
  runPasses,
} from '@pare/graph'

import { deduplicateInitializers } from './deduplicate-initializers.js'
import { extractConstants } from './extract-constants.js'
import { flattenMatMulWeight } from './flatten-matmul-weight.js'
import { flushTinyWeights } from './flush-tiny-weights.js'
import { foldAffine } from './fold-affine.js'
import { foldBatchNorm } from './fold-batch-norm.js'
import { foldConstants } from './fold-constants.js'
import { foldPad } from './fold-pad.js'
import { freezeInitializers } from './freeze-initializers.js'
import { hoistConstants } from './hoist-constants.js'
import { inlineFunctions } from './inline-functions.js'
import { learnShapes } from './learn-shapes.js'
import { matMulToGemm } from './matmul-to-gemm.js'
import type { OpenModel, Tensors } from './model-session.js'
import { normalizeGemm } from './normalize-gemm.js'
import { raiseOpset } from './raise-opset.js'
import { removeNoOps } from './remove-no-ops.js'
import { removeUnused } from './remove-unused.js'
import { sortTopologically } from './sort-topologically.js'
import type { ValueShapes } from './value-types.js'
import { widenFloat16 } from './widen-float16.js'

/** Per-channel QuantizeLinear and DequantizeLinear exist from opset 13 on. */
const QUANTIZABLE_OPSET = 13

export interface PrepareOptions {
  readonly open: OpenModel
  /** One real sample (or a few) for every graph input: shapes are learned from it. */
  readonly feeds: Tensors
  /** Raise the opset at least to this. Default QUANTIZABLE_OPSET. */
  readonly opset?: number
  /** A float16 model becomes float32 inside, for steps that need that. Default false. */
  readonly widenFloat16?: boolean
}

export interface PreparedModel {
  readonly model: Model
  /** Of the values of the prepared model, as learned from `feeds`. */
  readonly shapes: ValueShapes
  readonly diagnostics: readonly Diagnostic[]
}

/** Rounds of folding: Conv → BatchNormalization → Mul → Add needs one for each. */
const MAX_ROUNDS = 8

/**
 * The passes that make a model ready to compress:
 * 1. Make it plain: no functions, order, constants as initializers, nothing overridable; float32
 *    inside, by request.
 * 2. Learn shapes from a run; the opset upgrade needs ranks and types.
 * 3. Raise the opset, so that everything after it meets one form of each operator.
 * 4. Compute what is constant and drop what does nothing.
 * 5. Fold what follows a layer into its weight, and pads into the layer; flush what is too small.
 * 6. Clean up, and learn the shapes of values that are new.
 */
export async function prepareModel(model: Model, options: PrepareOptions): Promise<PreparedModel> {
  const plain = await runPasses(model, plainPasses(options))
  const first = await learnShapes(plain.model, options.open, options.feeds)
  const folded = await runPasses(plain.model, foldingPasses(options, first))
  const shapes = await learnShapes(folded.model, options.open, options.feeds, { known: first })
  return {
    model: folded.model,
    shapes,
    diagnostics: [...plain.diagnostics, ...folded.diagnostics],
  }
}

function plainPasses(options: Pick<PrepareOptions, 'widenFloat16'> = {}): readonly Pass[] {
  return [
    // First: what an exporter left inside functions (PyTorch's dynamo exporter, onnxscript) is
    // layers like any other from here on; no other pass looks into a function.
    inlineFunctions(),
    // Then: everything after it may read nodes in order, those out of functions too.
    sortTopologically(),
    // Before constants are looked for: a listed initializer is none.
    freezeInitializers(),
    extractConstants(),
    // Weights of bodies are constants like any other, and folded as such.
    hoistConstants(),
    // Before shapes are learned: they are learned with types.
    ...(options.widenFloat16 === true ? [widenFloat16()] : []),
  ]
}

function foldingPasses(
  { open, opset = QUANTIZABLE_OPSET }: PrepareOptions,
  shapes: ValueShapes,
): readonly (Pass | AsyncPass)[] {
  return [
    raiseOpset(opset, { shapes }),
    // Before the no-ops: a Cast of a constant is computed, not looked at.
    foldConstants({ open }),
    // Before folding into layers: an Identity in between would hide the layer.
    removeNoOps({ shapes }),
    normalizeGemm(),
    flattenMatMulWeight({ shapes }),
    // Makes layers with a bias that BatchNormalization can fold into.
    matMulToGemm({ shapes }),
    foldPad(),
    repeat('fold_into_layers', [foldBatchNorm(), foldAffine()], { maxRounds: MAX_ROUNDS }),
    // After folding, which scales weights.
    flushTinyWeights(),
    // Last: folding leaves equal and unread constants behind.
    deduplicateInitializers(),
    removeUnused(),
  ]
}
