import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  graph_invalid: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The graph of a model breaks a rule of ONNX',
  },
  attribute_type_mismatch: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'An attribute of a node is missing or has another type than its operator defines',
  },
  pass_broke_model: {
    kind: 'internal',
    title: 'A graph pass produced an invalid model',
  },
  graph_edit_invalid: {
    kind: 'internal',
    title: 'A graph pass edited something that is not in the graph',
  },
})
