import { defineErrors, type ErrorRow } from '@pare/errors'

const broken = (title: string) => ({ kind: 'invalid_input', fault: 'model', title }) as const
const limit = (title: string) => ({ kind: 'limit_exceeded', fault: 'model', title }) as const
const unsupported = (title: string) => ({ kind: 'unsupported', fault: 'model', title }) as const

/** Why the scanner turns an upload away, one code per reason. */
const rows = {
  // The bytes.
  not_onnx: broken('The file is not an ONNX model'),
  model_truncated: broken('The model file is cut off'),
  trailing_garbage: broken('The model is followed by bytes that belong to no model'),
  protobuf_malformed: broken('The protobuf structure is broken'),
  wire_type_unsupported: broken('A protobuf group or an unknown wire type was found'),
  wire_type_mismatch: broken('A field is encoded with another wire type than ONNX gives it'),
  varint_invalid: broken('A variable-length integer is longer than it may be'),
  unknown_field: broken('A field number was found that ONNX does not define'),
  duplicate_field: broken('A field that may occur once occurs twice'),
  invalid_text: broken('A name is not valid UTF-8 or holds control characters'),

  // Sizes.
  model_file_too_large: limit('The model file is larger than the limit'),
  model_too_complex: limit('The model has more encoded fields than the scanner reads'),
  model_too_deep: limit('Graphs or types are nested deeper than the limit'),
  too_many_nodes: limit('The model has more nodes than the limit'),
  too_many_initializers: limit('The model has more initializers than the limit'),
  too_many_functions: limit('The model has more functions than the limit'),
  too_many_values: limit('A node or graph names more values than the limit'),
  string_too_long: limit('A string is longer than the limit'),
  attribute_too_large: limit('An attribute is larger than the limit'),
  tensor_rank_too_large: limit('A tensor has more dimensions than the limit'),
  tensor_claim_too_large: limit('A small file claims a tensor larger than the limit'),
  tensors_too_large: limit('The tensors of the model together are larger than the limit'),

  // Tensors.
  tensor_dims_invalid: broken('A tensor has a dimension that is no size'),
  tensor_data_type_unknown: unsupported('A tensor has a data type that is not supported'),
  tensor_data_ambiguous: broken('A tensor states its data in more than one way'),
  tensor_size_mismatch: broken('The data of a tensor does not fit its type and dimensions'),

  // Names and versions.
  duplicate_name: broken('A name is defined twice'),
  graph_missing: broken('The model has no graph'),
  ir_version_unsupported: unsupported('The IR version of the model is not supported'),
  opset_missing: broken('An operator domain is used but not imported'),
  opset_unsupported: unsupported('The opset version of a domain is not supported'),

  // Operators.
  domain_not_allowed: unsupported('Operators of this domain are not accepted'),
  custom_op: unsupported('The model needs a custom operator library'),
  unknown_op: unsupported('ONNX defines no operator of this name'),
  op_not_allowed: unsupported('This operator is not accepted'),
  ep_context: unsupported('Precompiled execution-provider blobs are not accepted'),
  control_flow_not_allowed: unsupported('Control flow is switched off on this service'),

  // Functions.
  function_domain_reserved: broken('A function is defined in a domain that belongs to ONNX'),
  function_recursion: broken('A function calls itself'),
  function_bomb: limit('Expanding the functions multiplies the nodes beyond the limit'),
  function_too_deep: limit('Functions call each other deeper than the limit'),

  // External data.
  external_data_key: broken('External data has a key that is not accepted'),
  external_data_location: broken('External data names a place outside the upload'),
  external_data_in_memory: broken('External data names an address in memory'),
  external_data_missing: broken('External data names a file that was not uploaded'),
  external_data_range: broken('External data lies outside its file'),

  // Archives and files.
  bundle_archive_invalid: broken('The zip archive of the model cannot be read'),
  bundle_entry_refused: broken('The archive holds an entry that is no plain file of a model'),
  bundle_model_missing: broken('The archive holds no .onnx file'),
  bundle_model_ambiguous: broken('The archive holds more than one .onnx file'),
  bundle_too_large: limit('The archive holds more entries or bytes than the limit'),
  bundle_inflation_refused: limit('The archive inflates far beyond its own size'),
  file_not_plain: broken('A file of the model is a link or no regular file'),
} as const satisfies Record<string, ErrorRow>

export const scanErrors = defineErrors(rows)

export type ScanErrorCode = keyof typeof rows
