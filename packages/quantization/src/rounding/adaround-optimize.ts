// The optimization of AdaRound (Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training
// Quantization"), computed by onnxruntime: a model whose Loop takes one step of Adam on
//   tr(D·G·Dᵀ) + λ · Σ (1 − |2h − 1|^β),   D = h − target,
//   h = clip(σ(V) · (ζ − γ) + γ, 0, 1),    ζ = 1.1, γ = −0.1       (equations 21 to 24)
// D is the error in steps of the scale; β falls from 20 to 2, so that h is pushed to 0 or 1 ever
// more; during the first fifth λ is 0. One session serves layers of every size.
import { type Compute, openSession } from '@pare/calibration'
import { attr, editGraph, type Graph, type Model, type Value } from '@pare/graph'
import { type Emitter, emitter } from '@pare/ops'
import type { RuntimeTensor } from '@pare/tensor'

export interface RoundingProblem {
  readonly blocks: number
  readonly rows: number
  readonly columns: number
  /** G of each block, [B, k, k], in units in which its mean diagonal is 1. */
  readonly gram: Float32Array
  /** [B, R, k]: where between the two integers each weight is, 0 … 1. */
  readonly target: Float32Array
  /** [B, R, k]: 0 or 1 where that is settled already, −1 where it is to be found. */
  readonly settled: Int8Array
}

export interface OptimizeOptions {
  readonly iterations: number
  readonly regularization: number
  readonly signal: AbortSignal | undefined
}

export interface RoundingOptimizer {
  /** 1 where rounding up is best, [B, R, k]. */
  readonly optimize: (problem: RoundingProblem, options: OptimizeOptions) => Promise<Uint8Array>
  readonly release: () => Promise<void>
}

const ZETA = 1.1
const GAMMA = -0.1
/** Adam's constants; the rate moves V through its range in a hundred steps. */
const RATE = 0.04
const DECAY = 0.9
const SQUARE_DECAY = 0.99
const EPSILON = 1e-8
const WARM_UP = 0.2
const [FIRST_POWER, LAST_POWER] = [20, 2] as const
/** Steps between looks at how far it is. */
const CHUNK = 25
/** An h this close to 0 or 1 is settled; when this part of them is, it is done. */
const SETTLED_WITHIN = 0.02
const SETTLED_PART = 0.995
/** Where σ(V) is so small or great that h is 0 or 1 and has no slope. */
const SATURATED = 12

export async function openRoundingOptimizer(compute: Compute): Promise<RoundingOptimizer> {
  const session = await openSession(compute, stepModel())
  const optimize: RoundingOptimizer['optimize'] = async (problem, options) => {
    const { blocks, rows, columns } = problem
    const dims = [blocks, rows, columns]
    const constants = {
      gram: floats([blocks, columns, columns], problem.gram),
      target: floats(dims, problem.target),
    }
    let state: State = {
      v: floats(dims, initialState(problem)),
      m: floats(dims, new Float32Array(problem.target.length)),
      u: floats(dims, new Float32Array(problem.target.length)),
    }
    for (let step = 0; step < options.iterations; step += CHUNK) {
      options.signal?.throwIfAborted()
      const schedule = scheduleOf(step, Math.min(step + CHUNK, options.iterations), options)
      const results = await session.run({ ...constants, ...state, ...schedule })
      state = { v: results['v_out']!, m: results['m_out']!, u: results['u_out']! }
      const isWarm = step + CHUNK > WARM_UP * options.iterations
      if (isWarm && settledPart(values(state.v)) >= SETTLED_PART) break
    }
    return Uint8Array.from(values(state.v), (v) => (v >= 0 ? 1 : 0))
  }
  return { optimize, release: () => session.release() }
}

interface State {
  readonly v: RuntimeTensor
  readonly m: RuntimeTensor
  readonly u: RuntimeTensor
}

function floats(dims: readonly number[], data: Float32Array): RuntimeTensor {
  return { dataType: 'float32', dims, data }
}

function values(tensor: RuntimeTensor): Float32Array {
  return tensor.data as Float32Array
}

/** V with h(V) = target: where the weight is without being rounded. */
function initialState({ target, settled }: RoundingProblem): Float32Array {
  return target.map((t, i) => {
    if (settled[i] === 0) return -SATURATED
    if (settled[i] === 1) return SATURATED
    const sigmoid = (t - GAMMA) / (ZETA - GAMMA)
    return Math.log(sigmoid / (1 - sigmoid))
  })
}

function settledPart(v: Float32Array): number {
  let count = 0
  for (const x of v) {
    const h = (ZETA - GAMMA) / (1 + Math.exp(-x)) + GAMMA
    if (h < SETTLED_WITHIN || h > 1 - SETTLED_WITHIN) count++
  }
  return count / v.length
}

/** Step size, power and weight of the regularizer for the steps `from` to `to`. */
function scheduleOf(
  from: number,
  to: number,
  { iterations, regularization }: OptimizeOptions,
): Readonly<Record<'count' | 'rate' | 'power' | 'pull', RuntimeTensor>> {
  const count = to - from
  const [rate, power, pull] = [0, 1, 2].map(() => new Float32Array(count)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  for (let i = 0; i < count; i++) {
    const t = from + i + 1
    const progress = Math.max(0, (t / iterations - WARM_UP) / (1 - WARM_UP))
    const beta = LAST_POWER + (FIRST_POWER - LAST_POWER) * (1 - progress)
    rate[i] = (RATE * Math.sqrt(1 - SQUARE_DECAY ** t)) / (1 - DECAY ** t)
    power[i] = beta - 1
    // d/dh of −λ·|2h − 1|^β is −2·λ·β·|2h − 1|^(β − 1)·sign; the objective is halved throughout.
    pull[i] = progress === 0 ? 0 : -regularization * beta
  }
  const steps: RuntimeTensor = {
    dataType: 'int64',
    dims: [],
    data: BigInt64Array.of(BigInt(count)),
  }
  return {
    count: steps,
    rate: floats([count], rate),
    power: floats([count], power),
    pull: floats([count], pull),
  }
}

const OPSET = 17

function stepModel(): Model {
  const inputs = [
    value('gram', 'float32'),
    value('target', 'float32'),
    ...['v', 'm', 'u', 'rate', 'power', 'pull'].map((name) => value(name, 'float32')),
    value('count', 'int64'),
  ]
  const editor = editGraph(emptyModel('adaround', inputs))
  const outputs = ['v_out', 'm_out', 'u_out']
  editor.addNode({
    opType: 'Loop',
    inputs: ['count', '', 'v', 'm', 'u'],
    outputs,
    attributes: { body: attr.graph(stepGraph()) },
  })
  editor.setOutputs(outputs.map((name) => value(name, 'float32')))
  return editor.finish()
}

function emptyModel(name: string, inputs: readonly Value[]): Model {
  const graph: Graph = {
    name,
    nodes: [],
    inputs,
    outputs: [],
    valueInfo: [],
    initializers: new Map(),
    sparseInitializers: [],
    metadataProps: [],
  }
  const opsetImports = [{ domain: '', version: OPSET }]
  return { irVersion: 8, opsetImports, metadataProps: [], graph, functions: [] }
}

function value(name: string, elementType: 'float32' | 'int64'): Value {
  return { name, type: { kind: 'tensor', elementType }, metadataProps: [] }
}

/** Loop wants to know that these have no dimensions. */
function scalarValue(name: string, elementType: 'int64' | 'bool'): Value {
  return { name, type: { kind: 'tensor', elementType, shape: [] }, metadataProps: [] }
}

/** The body of the Loop: one step. It reads `gram`, `target` and the schedule from outside. */
function stepGraph(): Graph {
  const states = ['v', 'm', 'u'].map((name) => value(`${name}_in`, 'float32'))
  const inputs = [scalarValue('i', 'int64'), scalarValue('go', 'bool'), ...states]
  const editor = editGraph(emptyModel('step', inputs))
  const emit = emitter(editor, { prefix: 'step_' })
  const { add, cast, clip, div, equal, gather, identity, matMul, mul, sigmoid, sqrt, sub } = emit
  const s = sigmoid('v_in')
  const wide = add(mul(s, ZETA - GAMMA), GAMMA)
  const h = clip(wide, 0, 1)
  const error = matMul(sub(h, 'target'), 'gram')
  const gradient = add(error, pullToEnds(emit, h))
  const inside = cast(equal(h, wide), 'float32')
  const slope = mul(mul(s, sub(1, s)), inside)
  const g = mul(gradient, slope)
  const m = average(emit, { old: 'm_in', by: g, decay: DECAY })
  const u = average(emit, { old: 'u_in', by: mul(g, g), decay: SQUARE_DECAY })
  const move = mul(div(m, add(sqrt(u), EPSILON)), gather('rate', 'i'))
  const results = { v_next: sub('v_in', move), m_next: m, u_next: u }
  const next = Object.keys(results).map((name) => value(name, 'float32'))
  editor.setOutputs([scalarValue('go_on', 'bool'), ...next])
  editor.replaceUses('go_on', identity('go'))
  for (const [output, result] of Object.entries(results)) editor.replaceUses(output, result)
  return editor.finish().graph
}

/** −λ·β·|2h − 1|^(β − 1)·sign(2h − 1). */
function pullToEnds(emit: Emitter, h: string): string {
  const { abs, add, exp, gather, log, mul, sign, sub } = emit
  const side = sub(add(h, h), 1)
  const distance = log(add(abs(side), 1e-9))
  const power = exp(mul(distance, gather('power', 'i')))
  return mul(mul(sign(side), power), gather('pull', 'i'))
}

function average(
  { add, mul }: Emitter,
  part: { readonly old: string; readonly by: string; readonly decay: number },
): string {
  return add(mul(part.old, part.decay), mul(part.by, 1 - part.decay))
}
