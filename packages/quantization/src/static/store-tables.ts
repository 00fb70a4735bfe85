// Embeddings in int8, as dynamic quantization stores them: entries are gathered as integers, and only
// those that were read become floats. No range of any activation is needed for that. Rules:
// 1. A table that nothing but Gathers reads, once layers have integers of their own. Beside a float
//    table that somebody else needs its integers would make the file larger.
// 2. Bodies of If, Loop and Scan too; what they share is stored once.
// 3. Not with 16-bit activations, which are there to lose nothing.
import {
  type Diagnostic,
  editGraph,
  type Model,
  type Node,
  nodeLabel,
  walkGraphs,
} from '@pare/graph'
import { type WhyNot, whyNot } from '@pare/recipe'

import { rewriteGather, type TableLayer, tableLayer } from '../dynamic/gather.js'
import { DynamicWriter } from '../dynamic/operand.js'
import { isWide } from '../integers/integer-type.js'
import { hasOpenBodies } from '../open-bodies.js'
import { identity, toDiagnostic } from '../report/decision.js'
import type { LayerReport } from '../report/report.js'
import { removeUnused } from '../writing/written-constants.js'
import type { ResolvedStaticOptions } from './options.js'
import type { ForcedFloat } from './quantize-graph.js'

export interface StoredTables {
  readonly model: Model
  /** One per Gather of a table, large enough, of floats. */
  readonly layers: readonly LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
}

export interface StoreTablesOptions {
  readonly options: ResolvedStaticOptions
  readonly forced: ForcedFloat
}

export function storeTables(model: Model, choice: StoreTablesOptions): StoredTables {
  if (isWide(choice.options.activationType)) return { model, layers: [], diagnostics: [] }
  const editor = editGraph(model)
  const storing = new Storing(model, choice)
  storing.enter(new DynamicWriter(editor, { perChannel: true, weightRange: 'full' }))
  const { layers, diagnostics } = storing
  const isChanged = layers.some(({ decision }) => decision === 'integer')
  return { model: isChanged ? editor.finish() : model, layers, diagnostics }
}

class Storing {
  readonly layers: LayerReport[] = []
  readonly diagnostics: Diagnostic[] = []
  private readonly choice: StoreTablesOptions
  private readonly otherReaders: ReadonlyMap<string, string>

  constructor(model: Model, choice: StoreTablesOptions) {
    this.choice = choice
    this.otherReaders = readersBesideGathers(model, (node) => this.forbidden(node))
  }

  enter(writer: DynamicWriter): void {
    const { editor } = writer
    for (const node of editor.nodes()) {
      if (hasOpenBodies(node)) {
        editor.editBodies(node, (body) => this.enter(writer.inside(body)))
      } else if (node.opType === 'Gather' && node.domain === '') this.store(writer, node)
    }
    removeUnused(editor)
  }

  private store(writer: DynamicWriter, node: Node): void {
    const table = tableLayer(node, writer.editor)
    if (table === undefined) return
    const base = identity(node)
    const match = 'reason' in table ? table : (this.forbidden(node) ?? this.unlessShared(table))
    if ('reason' in match) {
      this.layers.push({ ...base, decision: 'float', ...match })
      this.diagnostics.push(toDiagnostic(node, match))
      return
    }
    const { weightName } = rewriteGather(writer, node, match)
    this.layers.push({
      ...base,
      decision: 'integer',
      message: 'its entries are stored in int8 and float once they are read',
      weight: {
        ...{ name: weightName, type: 'int8', granularity: 'per_channel', range: 'full' },
        ...{ channels: match.channels, saturationRisk: 0, bias: 'none' },
      },
    })
  }

  private unlessShared(table: TableLayer): TableLayer | WhyNot {
    const other = this.otherReaders.get(table.weightName)
    return other === undefined
      ? table
      : whyNot('weight_shared', `${other} needs its table in float`)
  }

  private forbidden(node: Node): WhyNot | undefined {
    const { options, forced } = this.choice
    const { nodesToExclude, nodesToQuantize, opTypesToQuantize } = options
    if (nodesToExclude.includes(nodeLabel(node))) {
      return whyNot('excluded_by_name', 'it is in nodes_to_exclude')
    }
    if (nodesToQuantize?.includes(node.name) === false) {
      return whyNot('excluded_by_name', 'it is not in nodes_to_quantize')
    }
    if (opTypesToQuantize?.includes(node.opType) === false) {
      return whyNot('excluded_by_type', 'its type is not in op_types_to_quantize')
    }
    return forced.get(node.outputs[0] ?? '')
  }
}

/**
 * Constants by name that something reads which will not read integers, and what. Graphs beside each
 * other may use one name for two constants: then one such reader counts for both.
 */
function readersBesideGathers(
  { graph }: Model,
  forbidden: (node: Node) => WhyNot | undefined,
): ReadonlyMap<string, string> {
  const readers = new Map<string, string>()
  for (const inner of walkGraphs(graph)) {
    for (const node of inner.nodes) {
      const isGather = node.opType === 'Gather' && node.domain === ''
      const isStored = isGather && forbidden(node) === undefined
      for (const [i, input] of node.inputs.entries()) {
        if (isStored && i === 0) continue
        readers.set(input, `${node.opType} ${nodeLabel(node)}`)
      }
    }
    for (const { name } of inner.outputs) readers.set(name, `the output ${name}`)
  }
  return readers
}
