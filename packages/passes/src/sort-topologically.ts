// Rule: nodes are put into an order in which every value is made before it is read, in the main
// graph and in every body. Some exporters write them in another order, onnxruntime's float16 converter too.
import {
  type Graph,
  mapSubgraphs,
  type Model,
  type Pass,
  type PassResult,
  topologicalOrder,
} from '@pare/graph'

export function sortTopologically(): Pass {
  return { name: 'sort_topologically', run }
}

function run(model: Model): PassResult {
  const graph = sorted(model.graph)
  if (graph === model.graph) return { model, modified: false, diagnostics: [] }
  return { model: { ...model, graph }, modified: true, diagnostics: [] }
}

function sorted(graph: Graph): Graph {
  const inner = graph.nodes.map((node) => mapSubgraphs(node, sorted))
  const isUnchanged = inner.every((node, i) => node === graph.nodes[i])
  const nodes = topologicalOrder(isUnchanged ? graph.nodes : inner)
  return nodes === graph.nodes ? graph : { ...graph, nodes }
}
