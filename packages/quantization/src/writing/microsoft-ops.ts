import { type GraphEditor, type Model, walkNodes } from '@pare/graph'
import type { DataType } from '@pare/tensor'

const MICROSOFT = 'com.microsoft'

/** Imports onnxruntime's operators where the model uses any. */
export function withMicrosoftOps(model: Model): Model {
  const nodes = [...walkNodes(model.graph, { subgraphs: 'visit' })]
  const isUsed = nodes.some(({ domain }) => domain === MICROSOFT)
  if (!isUsed || model.opsetImports.some(({ domain }) => domain === MICROSOFT)) return model
  return { ...model, opsetImports: [...model.opsetImports, { domain: MICROSOFT, version: 1 }] }
}

/**
 * Declares the outputs of a node of onnxruntime's own, where the model does not: standard tools infer
 * no types behind an operator they do not know.
 */
export function declareOutputs(
  editor: GraphEditor,
  outputs: readonly string[],
  elementType: DataType = 'float32',
): void {
  for (const name of outputs) {
    if (name === '' || editor.value(name)?.type !== undefined) continue
    editor.setValueInfo({ name, type: { kind: 'tensor', elementType }, metadataProps: [] })
  }
}
