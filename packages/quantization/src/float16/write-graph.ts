// Writes the scopes back as a model, every value in the types that its readers want.
import { attr, type Graph, mapSubgraphs, type Model, type Node, type Value } from '@pare/graph'
import type { NarrowType } from '@pare/recipe'
import { elementCount, type Tensor } from '@pare/tensor'

import type { TypeGroup, Width } from './fewest-casts.js'
import { narrowConstant, type NarrowingReport } from './narrow-constant.js'
import type { ResolvedFloat16Options } from './options.js'
import { findValue, type Scope, type ScopedNode, type ScopedValue } from './scope.js'
import { castSource, fillValue, TYPE_CODES } from './type-makers.js'
import type { ValueVersions } from './versions.js'

export interface WrittenModel {
  readonly model: Model
  /** Casts that the original does not have. */
  readonly castsAdded: number
  /** What became of each constant that was converted. */
  readonly constants: ReadonlyMap<ScopedValue, NarrowingReport>
}

export function writeModel(
  model: Model,
  { root, versions, options }: Pick<GraphWriter, 'versions' | 'options'> & { root: Scope },
): WrittenModel {
  const writer = new GraphWriter(versions, options)
  const graph = writer.write(root)
  const before = countCasts(model.graph)
  return {
    model: { ...model, graph },
    castsAdded: countCasts(graph) - before,
    constants: writer.constants,
  }
}

function countCasts(graph: Graph): number {
  let count = 0
  const visit = (inner: Graph) => {
    for (const node of inner.nodes) {
      if (castSource(node) !== undefined) count++
      mapSubgraphs(node, (body) => {
        visit(body)
        return body
      })
    }
  }
  visit(graph)
  return count
}

class GraphWriter {
  readonly versions: ValueVersions
  readonly options: ResolvedFloat16Options
  readonly constants = new Map<ScopedValue, NarrowingReport>()

  constructor(versions: ValueVersions, options: ResolvedFloat16Options) {
    this.versions = versions
    this.options = options
  }

  write(scope: Scope): Graph {
    const { graph } = scope
    const given = [...graph.inputs, ...graph.sparseInitializers].map(({ name }) => name)
    return {
      ...graph,
      nodes: [
        ...given.flatMap((name) => this.copies(scope.values.get(name)!)),
        ...scope.nodes.flatMap((scoped) => this.writeNode(scoped)),
      ],
      initializers: this.writeInitializers(scope),
      inputs: graph.inputs.map((input) => this.declare(input, scope.values.get(input.name))),
      outputs: graph.outputs.map((output, i) => this.writeOutput(output, scope.outputs[i])),
      valueInfo: this.writeValueInfo(scope),
    }
  }

  private writeNode(scoped: ScopedNode): readonly Node[] {
    const { node, outputs } = scoped
    const [result] = outputs
    if (scoped.castOf !== undefined && result !== undefined) return this.writeCast(scoped, result)
    if (result?.constant !== undefined) return this.writeConstant(node, result)
    const bodies = [...scoped.bodies]
    const written = mapSubgraphs(node, () => this.write(bodies.shift()!))
    const isNarrowFill = node.opType === 'ConstantOfShape' && result?.origin?.width === 'narrow'
    return [
      {
        ...written,
        inputs: node.inputs.map((name, i) => this.read(scoped, name, i)),
        outputs: node.outputs.map((name, i) =>
          outputs[i] === undefined ? name : this.versions.name(outputs[i]),
        ),
        ...(isNarrowFill ? { attributes: this.narrowFill(node, result) } : {}),
      },
      ...outputs.flatMap((value) => (value === undefined ? [] : this.copies(value))),
    ]
  }

  private read({ inputs, wanted }: ScopedNode, name: string, position: number): string {
    const value = inputs[position]
    return value === undefined ? name : this.versions.name(value, wanted[position]?.width)
  }

  /** Casts to the versions of a value that its origin does not make. */
  private copies(value: ScopedValue): readonly Node[] {
    if (value.origin === undefined) return []
    const [made, ...others] = this.versions.widths(value)
    return others.map((width) =>
      cast(this.versions.name(value, made), {
        to: TYPE_CODES[this.versions.dataType(width)],
        output: this.versions.name(value, width),
      }),
    )
  }

  /** Each version straight from the source, unless the source has it already. */
  private writeCast(scoped: ScopedNode, result: ScopedValue): readonly Node[] {
    const { node } = scoped
    const source = this.read(scoped, node.inputs[0]!, 0)
    if (result.type !== 'float32') {
      return this.versions.isAlias(result, 'same') ? [] : [{ ...node, inputs: [source] }]
    }
    return this.versions
      .widths(result)
      .filter((width) => !this.versions.isAlias(result, width))
      .map((width, i) => {
        const to = TYPE_CODES[this.versions.dataType(width)]
        const output = this.versions.name(result, width)
        if (i > 0) return cast(source, { to, output })
        // A CastLike becomes a Cast: its example may be of the other type now.
        const attributes = new Map([['to', attr.int(to)]])
        return { ...node, opType: 'Cast', inputs: [source], outputs: [output], attributes }
      })
  }

  private writeConstant(node: Node, value: ScopedValue): readonly Node[] {
    return this.versions.widths(value).map((width, i) => ({
      ...node,
      name: i === 0 ? node.name : this.versions.name(value, width),
      outputs: [this.versions.name(value, width)],
      attributes: new Map([['value', attr.tensor(this.constant(value, width))]]),
    }))
  }

  private narrowFill(node: Node, result: ScopedValue): Node['attributes'] {
    const { tensor, report } = narrowConstant(fillValue(node), {
      type: this.options.type,
      raiseTo: this.options.minPositive,
    })
    this.constants.set(result, report)
    return new Map(node.attributes).set('value', attr.tensor(tensor))
  }

  private constant(value: ScopedValue, width: Width): Tensor {
    const tensor = value.constant!
    if (width === 'wide') return tensor
    const isGuard = value.isDivisor || elementCount(tensor.dims) === 1
    const narrowed = narrowConstant(tensor, {
      type: this.options.type,
      raiseTo: isGuard ? this.options.minPositive : 0,
    })
    this.constants.set(value, narrowed.report)
    return narrowed.tensor
  }

  private writeInitializers(scope: Scope): ReadonlyMap<string, Tensor> {
    const written = new Map<string, Tensor>()
    for (const [name, tensor] of scope.graph.initializers) {
      const value = scope.values.get(name)!
      if (value.constant !== undefined) {
        for (const width of this.versions.widths(value)) {
          written.set(this.versions.name(value, width), this.constant(value, width))
        }
      } else if (value.origin?.width === 'narrow') {
        // The default of a graph input.
        const options = { type: this.options.type, raiseTo: 0 }
        written.set(name, narrowConstant(tensor, options).tensor)
      } else written.set(name, tensor)
    }
    return written
  }

  private writeOutput(output: Value, shown: Scope['outputs'][number] | undefined): Value {
    if (shown?.group === undefined) {
      return shown === undefined ? output : { ...output, name: this.versions.name(shown.value) }
    }
    const { value, group } = shown
    const name = this.versions.name(value, group.width)
    return { ...retyped(output, this.typeOf(group)), name }
  }

  private declare(input: Value, value: ScopedValue | undefined): Value {
    return value?.origin === undefined ? input : retyped(input, this.typeOf(value.origin))
  }

  private typeOf(group: TypeGroup) {
    return this.versions.dataType(group.width)
  }

  private writeValueInfo(scope: Scope): readonly Value[] {
    const shown = new Set(scope.graph.outputs.map(({ name }) => name))
    return scope.graph.valueInfo.flatMap((info) => {
      const value = findValue(scope, info.name)
      if (value?.type !== 'float32') return [info]
      return this.versions
        .widths(value)
        .map((width) => ({
          ...retyped(info, this.versions.dataType(width)),
          name: this.versions.name(value, width),
        }))
        .filter(({ name }) => !shown.has(name))
    })
  }
}

function cast(input: string, { to, output }: { to: number; output: string }): Node {
  return {
    // Not the output's name: the node that made it may be named after it, and names differ.
    name: `${output}_cast`,
    opType: 'Cast',
    domain: '',
    inputs: [input],
    outputs: [output],
    attributes: new Map([['to', attr.int(to)]]),
    metadataProps: [],
  }
}

function retyped(value: Value, elementType: 'float32' | NarrowType): Value {
  if (value.type?.kind !== 'tensor' || value.type.elementType !== 'float32') return value
  return { ...value, type: { ...value.type, elementType } }
}
