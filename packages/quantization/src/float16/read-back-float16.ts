// What the runtime really makes of a narrow model. onnxruntime's CPU kernels are float32 for almost
// every operator that computes: it inserts Casts, so the file is half the size and runs no faster.
import { type Diagnostic, type Model, type Node, nodeLabel } from '@pare/graph'
import { decodeModel, encodeModel } from '@pare/onnx'
import type { NarrowType } from '@pare/recipe'

import { errors } from '../errors.js'
import type { Optimize } from '../static/read-back.js'
import { analyze } from './analyze.js'
import type { ConvertFloat16Result } from './convert-float16.js'
import { resolveFloat16Options } from './options.js'
import type { Float16LayerReport } from './report.js'
import { type ScopedNode, walkScopes } from './scope.js'

export interface Float16ReadBack {
  /** The rows with `computedIn`, where the node can still be told in the runtime's graph. */
  readonly layers: readonly Float16LayerReport[]
  readonly diagnostics: readonly Diagnostic[]
  /** Nodes that the runtime computes in the narrow type, Casts not counted. */
  readonly narrowNodes: number
  /** Nodes that it computes in float32. */
  readonly float32Nodes: number
  /** Casts in the runtime's graph beyond those of the model. */
  readonly castsInserted: number
}

/**
 * Loads the converted model in the target runtime and reads back the graph that runs. Throws
 * `narrow_type_unsupported` when the runtime refuses the model.
 */
export async function readBackFloat16(
  { model, layers }: Pick<ConvertFloat16Result, 'model' | 'layers'>,
  type: NarrowType,
  optimize: Optimize,
): Promise<Float16ReadBack> {
  const optimized = await optimizedModel(model, type, optimize)
  const nodes = floatNodes(optimized, type)
  const narrowNodes = nodes.filter(({ computedIn }) => computedIn === type).length
  const computed = new Map(nodes.flatMap(({ node, computedIn }) => keys(node, computedIn)))
  const rows = layers.map((layer) => {
    const computedIn = computed.get(layer.node) ?? computed.get(layer.output)
    return computedIn === undefined ? layer : { ...layer, computedIn }
  })
  const float32Nodes = nodes.length - narrowNodes
  return {
    layers: rows,
    diagnostics: float32Nodes === 0 ? [] : [computesInFloat32(type, float32Nodes, nodes.length)],
    narrowNodes,
    float32Nodes,
    castsInserted: countCasts(optimized) - countCasts(model),
  }
}

async function optimizedModel(model: Model, type: NarrowType, optimize: Optimize): Promise<Model> {
  try {
    return decodeModel(await optimize(encodeModel(model)), { repeatedInitializers: 'keep_first' })
  } catch (cause) {
    throw errors.narrow_type_unsupported(
      `the runtime does not load the ${type} model: ${cause instanceof Error ? cause.message : String(cause)}`,
      { details: { type }, cause },
    )
  }
}

/** Conversions of type and layout. */
const NOT_COUNTED: ReadonlySet<string> = new Set([
  'Cast',
  'Constant',
  'ReorderInput',
  'ReorderOutput',
])

interface FloatNode {
  readonly node: Node
  readonly computedIn: 'float32' | NarrowType
}

/** Nodes with float data and the type in which they compute it. */
function floatNodes(model: Model, type: NarrowType): readonly FloatNode[] {
  // Types alone count here: with this policy no weight is looked at, and none may be at hand.
  const { root } = analyze(model, resolveFloat16Options({ type, overflow: 'clamp' }))
  return [...walkScopes(root)].flatMap((scope) =>
    scope.nodes.flatMap((scoped): readonly FloatNode[] => {
      const { node } = scoped
      if (NOT_COUNTED.has(node.opType)) return []
      // Kernels of the blocked layout are float32, and no table knows their types.
      if (node.domain === 'com.microsoft.nchwc') return [{ node, computedIn: 'float32' }]
      const types = dataTypes(scoped)
      if (types.includes(type)) return [{ node, computedIn: type }]
      return types.includes('float32') ? [{ node, computedIn: 'float32' }] : []
    }),
  )
}

function dataTypes({ inputs, outputs }: ScopedNode): readonly unknown[] {
  return [...inputs.slice(0, 1), ...outputs.slice(0, 1), ...inputs.slice(1, 2)].map(
    (value) => value?.type,
  )
}

/**
 * Names as the model has them: onnxruntime marks nodes that it fused or laid out anew, and moves a
 * value's name behind the Cast it inserts.
 */
function originalName(name: string): string {
  return name.replace(/^(fused )?(InsertedPrecisionFreeCast_)?/, '').replace(/_nchwc$/, '')
}

function keys(node: Node, computedIn: FloatNode['computedIn']) {
  const names = [nodeLabel(node), ...node.outputs]
  return names
    .filter((name) => name !== '')
    .map((name) => [originalName(name), computedIn] as const)
}

function countCasts(model: Model): number {
  return model.graph.nodes.filter(({ opType }) => opType === 'Cast').length
}

function computesInFloat32(type: NarrowType, float32: number, all: number): Diagnostic {
  return {
    severity: 'info',
    code: 'float16_computed_in_float32',
    message: `the runtime computes ${float32} of ${all} nodes in float32, for want of ${type} kernels: expect half the size, not more speed`,
  }
}
