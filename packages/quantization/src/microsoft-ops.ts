import { type Model, walkNodes } from '@pare/graph'

const MICROSOFT = 'com.microsoft'

/** Imports onnxruntime's operators where the model uses any. */
export function withMicrosoftOps(model: Model): Model {
  const nodes = [...walkNodes(model.graph, { subgraphs: 'visit' })]
  const isUsed = nodes.some(({ domain }) => domain === MICROSOFT)
  if (!isUsed || model.opsetImports.some(({ domain }) => domain === MICROSOFT)) return model
  return { ...model, opsetImports: [...model.opsetImports, { domain: MICROSOFT, version: 1 }] }
}
