// Which nodes compute in integers. A pure decision from the structure of the graph; the rules follow
// what onnxruntime's CPU provider really turns into integer kernels, and what was measured to pay.
//
// 1. Layers with constant weights (Conv, Gemm, MatMul) carry the arithmetic: they become integer.
// 2. Joins (Add, Mul, Concat, pools, …) follow only when all their inputs already are in integers
//    and somebody reads their output in integers: they never cause a conversion of their own.
// 3. Gemm and MatMul have kernels with float output: their output is quantized only when all its
//    readers are integer, or when a Relu or Clip follows. Conv has none: its output always is.
// 4. Reshape, Transpose, MaxPool, … pass 8 bits through between the two, sharing parameters.
// 5. Relu and Clip vanish into the quantization behind an integer producer.
// 6. What belongs to a LayerNormalization, Gelu, Softmax or mask in primitive operators stays float, and
//    joins of very different ranges do, with everything behind them at the network's end.
// 7. A convolution that would stand alone between float neighbours and computes little stays float,
//    and so does a first one over few channels.
import { type GraphIndex, indexGraph, type Model, type Node, nodeLabel } from '@pare/graph'
import { opFacts, sharesQuantization } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'

import { type WeightedLayer, weightedLayer } from '../layers/layer-weight.js'
import { type ClampChain, clampChain } from './clamp-chain.js'
import { isThinConvolution, isWorthConverting } from './conversion-cost.js'
import { decomposedPatterns, type PatternName } from './decomposed.js'
import { isDistributionMean, nodesBehind, rangeDisparity, tailNodes } from './range-disparity.js'

export interface PlacementPolicy {
  /** Of the model that is written, which may be newer than the one that is looked at. */
  readonly opset: number
  /** Why the caller wants a node to stay float. */
  readonly forbids: (node: Node) => WhyNot | undefined
  /** Whether a value's range is known (while observation points are chosen: always). */
  readonly hasRange: (value: string) => boolean
  /** Values joined by one node may differ this much in range; undefined: not known. */
  readonly widthOf: (value: string) => number | undefined
  /** Whether quantizing a value cuts at its range exactly: false with symmetric activations. */
  readonly foldsClamps: boolean
  /** Whether layers that are faster in float stay so: false where none becomes an integer kernel. */
  readonly countsCost: boolean
}

export interface Placement {
  readonly index: GraphIndex
  /** Layers with weights that become integer, in graph order. */
  readonly layers: ReadonlyMap<Node, WeightedLayer>
  readonly joins: ReadonlySet<Node>
  /** Nodes through which 8-bit data passes. */
  readonly passes: ReadonlySet<Node>
  /** The clamps behind each node that writes integers, and the value it writes. */
  readonly emitters: ReadonlyMap<Node, ClampChain>
  /** Each value to quantize and the value whose parameters it has. */
  readonly owners: ReadonlyMap<string, string>
  readonly floats: ReadonlyMap<Node, WhyNot>
}

export function planPlacement(model: Model, policy: PlacementPolicy): Placement {
  const planner = new Planner(model, policy)
  planner.chooseLayers()
  planner.growJoins()
  planner.settle()
  return planner.placement()
}

const MESSAGES = {
  input_float: 'its inputs are not all in integers, and converting them costs more than it saves',
  output_float: 'nothing reads its output in integers',
  detector_tail: 'it places the edges of boxes as the mean of a distribution',
  not_worth_converting: 'its float kernel is faster than converting and computing in integers',
} as const

function inDetectorTail(wide: Node): WhyNot {
  const message = `it is behind ${nodeLabel(wide)}, which joins values of very different ranges at the end of the network`
  return whyNot('detector_tail', message)
}

function inPattern(name: PatternName): WhyNot {
  return whyNot('decomposed_operator', `it is part of a ${name} written in primitive operators`)
}

class Planner {
  private readonly model: Model
  private readonly policy: PlacementPolicy
  private readonly index: GraphIndex
  private readonly tail: ReadonlySet<Node>
  private readonly layers = new Map<Node, WeightedLayer>()
  private readonly joins = new Set<Node>()
  private readonly floats = new Map<Node, WhyNot>()
  private readonly chains = new Map<Node, ClampChain>()
  /** Which node's clamp chain ends in a value. */
  private readonly sources = new Map<string, Node>()

  constructor(model: Model, policy: PlacementPolicy) {
    this.model = model
    this.policy = policy
    this.index = indexGraph(model.graph)
    this.tail = tailNodes(model)
    for (const [node, name] of decomposedPatterns(model)) this.floats.set(node, inPattern(name))
  }

  chooseLayers(): void {
    for (const node of this.model.graph.nodes) {
      const layer = weightedLayer(node, this.index)
      if (layer === undefined) continue
      const stays = this.policy.forbids(node) ?? this.objection(node, layer)
      if (stays !== undefined) this.floats.set(node, stays)
      else this.include(node, layer as WeightedLayer)
    }
  }

  private objection(node: Node, layer: WeightedLayer | WhyNot): WhyNot | undefined {
    if ('reason' in layer) return layer
    if (isDistributionMean(layer, this.policy.opset, this.index)) {
      return whyNot('detector_tail', MESSAGES.detector_tail)
    }
    const { output } = this.chainOf(node)
    const missing = [node.inputs[0]!, output].find((value) => !this.hasRange(node, value))
    if (missing === undefined) return undefined
    // What does not pay is not observed either; then that is the reason.
    return !this.policy.countsCost || (isWorthConverting(layer) && !isThinConvolution(layer))
      ? whyNot('no_calibration_range', `${missing} was not observed as a float32 value`)
      : whyNot('not_worth_converting', MESSAGES.not_worth_converting)
  }

  /** The output of Gemm and MatMul is quantized only where a reader needs its range anyway. */
  private hasRange(node: Node, value: string): boolean {
    const optional = this.kernel(node) === 'any_output' && value !== node.inputs[0]
    return optional || this.policy.hasRange(value)
  }

  private include(node: Node, layer: WeightedLayer): void {
    this.layers.set(node, layer)
    this.sources.set(this.chainOf(node).output, node)
  }

  /** Adds joins whose inputs are all in integers, until none is left to add. */
  growJoins(): void {
    const candidates = this.model.graph.nodes.filter((node) => this.isJoinCandidate(node))
    let grown = true
    while (grown) {
      grown = false
      for (const node of candidates) {
        if (this.joins.has(node) || !this.joinsIntegers(node)) continue
        this.joins.add(node)
        this.sources.set(this.chainOf(node).output, node)
        grown = true
      }
    }
    const behindWide = this.behindWideJoins()
    for (const node of candidates) {
      if (this.joins.has(node)) continue
      const wide = behindWide.get(node)
      if (wide === undefined) this.explain(node, 'input_float')
      else this.floats.set(node, inDetectorTail(wide))
    }
  }

  /** The nodes behind a join at the network's end that stays float, and that join. */
  private behindWideJoins(): ReadonlyMap<Node, Node> {
    const wide = [...this.floats]
      .filter(([node, { reason }]) => reason === 'ranges_too_different' && this.tail.has(node))
      .map(([node]) => node)
    return nodesBehind(wide, this.index)
  }

  private isJoinCandidate(node: Node): boolean {
    if (this.kernel(node) === undefined || this.layers.has(node) || this.floats.has(node)) {
      return false
    }
    const { index, tail } = this
    const context = { index, tail, widthOf: this.policy.widthOf }
    const stays =
      this.policy.forbids(node) ??
      (this.constantsAreFloat(node) ? rangeDisparity(node, context) : undefined)
    if (stays !== undefined) this.floats.set(node, stays)
    return stays === undefined && this.constantsAreFloat(node)
  }

  private constantsAreFloat(node: Node): boolean {
    return this.dataInputs(node).every((value) => {
      const constant = this.index.constant(value)
      return constant === undefined || constant.dataType === 'float32'
    })
  }

  private joinsIntegers(node: Node): boolean {
    const variable = this.variableInputs(node)
    return (
      variable.length > 0 &&
      variable.every((value) => this.isInteger(value) && this.policy.hasRange(this.owner(value))) &&
      this.policy.hasRange(this.chainOf(node).output)
    )
  }

  /** Takes back what turned out to be of no use, until nothing changes. */
  settle(): void {
    let changed = true
    while (changed) {
      changed = false
      for (const node of [...this.joins]) {
        if (this.joinsIntegers(node) && this.hasIntegerReader(this.chainOf(node).output)) continue
        this.joins.delete(node)
        this.sources.delete(this.chainOf(node).output)
        this.explain(node, 'output_float')
        changed = true
      }
      for (const [node, layer] of [...this.layers]) {
        if (this.isWorthwhile(node, layer)) continue
        this.layers.delete(node)
        this.sources.delete(this.chainOf(node).output)
        this.explain(node, 'not_worth_converting')
        changed = true
      }
    }
  }

  private isWorthwhile(node: Node, layer: WeightedLayer): boolean {
    const input = node.inputs[0]!
    const convertsInput =
      this.integerSource(input) === undefined &&
      this.readers(input).filter((reader) => this.layers.has(reader)).length === 1
    if (!convertsInput || !this.policy.countsCost) return true
    if (isThinConvolution(layer)) return false
    return this.hasIntegerReader(this.chainOf(node).output) || isWorthConverting(layer)
  }

  private explain(node: Node, reason: keyof typeof MESSAGES): void {
    this.floats.set(node, whyNot(reason, MESSAGES[reason]))
  }

  // Questions about values.

  private kernel(node: Node) {
    return opFacts(node)?.integerKernel
  }

  private dataInputs(node: Node): readonly string[] {
    const positions = opFacts(node)?.dataInputs ?? node.inputs.keys()
    return [...positions].map((i) => node.inputs[i] ?? '').filter((value) => value !== '')
  }

  /** The inputs that differ from run to run: of a layer the first, of a join all but constants. */
  private variableInputs(node: Node): readonly string[] {
    const inputs = this.layers.has(node) ? [node.inputs[0]!] : this.dataInputs(node)
    return inputs.filter((value) => this.index.constant(value) === undefined)
  }

  private chainOf(node: Node): ClampChain {
    const known = this.chains.get(node)
    if (known !== undefined) return known
    const chain = this.policy.foldsClamps
      ? clampChain(node, this.index)
      : { output: node.outputs[0]!, clamps: [] }
    this.chains.set(node, chain)
    return chain
  }

  private isPass(node: Node | undefined): node is Node {
    return (
      node?.domain === '' &&
      sharesQuantization(node, this.policy.opset) &&
      this.policy.forbids(node) === undefined
    )
  }

  private isRead(value: string): boolean {
    return this.readers(value).length > 0 || this.index.isGraphOutput(value)
  }

  private readers(value: string): readonly Node[] {
    return this.index.consumers(value)
  }

  /** Whether the value exists in integers without a conversion only for the asker. */
  private isInteger(value: string): boolean {
    if (this.readers(value).some((reader) => this.readsAsLayer(reader, value))) return true
    return this.integerSource(value) !== undefined
  }

  private readsAsLayer(reader: Node, value: string): boolean {
    return this.layers.has(reader) && reader.inputs[0] === value
  }

  /** The node that writes the value in integers, through passes; undefined where none does. */
  private integerSource(value: string): Node | undefined {
    const source = this.sources.get(value)
    if (source !== undefined) return this.emits(source) ? source : undefined
    const producer = this.index.producer(value)
    if (!this.isPass(producer)) return undefined
    const input = producer.inputs[0]!
    const converted = this.readers(input).some((reader) => this.readsAsLayer(reader, input))
    return this.integerSource(input) ?? (converted ? producer : undefined)
  }

  private emits(node: Node): boolean {
    if (!this.layers.has(node) && !this.joins.has(node)) return false
    if (this.kernel(node) === 'needs_output') return true
    const { output, clamps } = this.chainOf(node)
    if (!this.policy.hasRange(output)) return false
    // Before it looks for integers, onnxruntime fuses a float Gemm with its Relu; and behind a MatMul
    // it takes a Relu for one that a QuantizeLinear makes superfluous.
    return this.onlyIntegerReaders(output) || clamps.length > 0
  }

  private onlyIntegerReaders(value: string): boolean {
    const readers = this.readers(value)
    return (
      readers.length > 0 &&
      !this.index.isGraphOutput(value) &&
      readers.every(
        (reader) =>
          this.isArithmetic(reader, value) ||
          (this.isPass(reader) && this.onlyIntegerReaders(reader.outputs[0]!)),
      )
    )
  }

  private hasIntegerReader(value: string): boolean {
    return this.readers(value).some(
      (reader) =>
        this.isArithmetic(reader, value) ||
        (this.isPass(reader) &&
          reader.inputs[0] === value &&
          this.hasIntegerReader(reader.outputs[0]!)),
    )
  }

  private isArithmetic(reader: Node, value: string): boolean {
    return (
      (this.layers.has(reader) || this.joins.has(reader)) &&
      this.variableInputs(reader).includes(value)
    )
  }

  /** The value whose parameters this one has. */
  private owner(value: string): string {
    const producer = this.index.producer(value)
    if (this.sources.has(value) || !this.isPass(producer)) return value
    return this.integerSource(value) === undefined ? value : this.owner(producer.inputs[0]!)
  }

  // The result.

  placement(): Placement {
    const emitters = new Map<Node, ClampChain>()
    const owners = new Map<string, string>()
    const passes = new Set<Node>()
    const mark = (value: string) => {
      if (owners.has(value)) return
      const owner = this.owner(value)
      if (owner !== value) {
        const pass = this.index.producer(value)!
        mark(pass.inputs[0]!)
        passes.add(pass)
        // A Split moves integers only to all of its outputs.
        for (const output of pass.outputs) if (this.isRead(output)) owners.set(output, owner)
      }
      owners.set(value, owner)
    }
    for (const node of this.model.graph.nodes) {
      if (!this.layers.has(node) && !this.joins.has(node)) continue
      this.variableInputs(node).forEach(mark)
      if (!this.emits(node)) continue
      emitters.set(node, this.chainOf(node))
      mark(this.chainOf(node).output)
    }
    const { index, layers, joins, floats } = this
    return { index, layers, joins, passes, emitters, owners, floats }
  }
}
