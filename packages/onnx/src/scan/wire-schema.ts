/**
 * The messages of onnx.proto (IR version 13) as tables: field number → name, wire type, count.
 * A message is read only by these tables, so a field that is not here cannot slip by.
 */

/** `varint`, `fixed32`, `fixed64` as protobuf has them; `bytes` is any length-delimited payload. */
export type FieldEncoding = 'varint' | 'fixed32' | 'fixed64' | 'bytes'

export interface FieldRule {
  readonly name: string
  readonly encoding: FieldEncoding
  /** Absent: the field may occur once. `packed`: scalars that may also come length-delimited. */
  readonly count?: 'repeated' | 'packed'
}

export type MessageSchema = ReadonlyMap<number, FieldRule>

export const MODEL = message({
  1: 'ir_version varint',
  2: 'producer_name bytes',
  3: 'producer_version bytes',
  4: 'domain bytes',
  5: 'model_version varint',
  6: 'doc_string bytes',
  7: 'graph bytes',
  8: 'opset_import bytes repeated',
  14: 'metadata_props bytes repeated',
  20: 'training_info bytes repeated',
  25: 'functions bytes repeated',
  26: 'configuration bytes repeated',
})

export const OPSET_ID = message({ 1: 'domain bytes', 2: 'version varint' })

export const TRAINING_INFO = message({
  1: 'initialization bytes',
  2: 'algorithm bytes',
  3: 'initialization_binding bytes repeated',
  4: 'update_binding bytes repeated',
})

export const GRAPH = message({
  1: 'node bytes repeated',
  2: 'name bytes',
  5: 'initializer bytes repeated',
  10: 'doc_string bytes',
  11: 'input bytes repeated',
  12: 'output bytes repeated',
  13: 'value_info bytes repeated',
  14: 'quantization_annotation bytes repeated',
  15: 'sparse_initializer bytes repeated',
  16: 'metadata_props bytes repeated',
})

export const NODE = message({
  1: 'input bytes repeated',
  2: 'output bytes repeated',
  3: 'name bytes',
  4: 'op_type bytes',
  5: 'attribute bytes repeated',
  6: 'doc_string bytes',
  7: 'domain bytes',
  8: 'overload bytes',
  9: 'metadata_props bytes repeated',
  10: 'device_configurations bytes repeated',
})

export const ATTRIBUTE = message({
  1: 'name bytes',
  2: 'f fixed32',
  3: 'i varint',
  4: 's bytes',
  5: 't bytes',
  6: 'g bytes',
  7: 'floats fixed32 packed',
  8: 'ints varint packed',
  9: 'strings bytes repeated',
  10: 'tensors bytes repeated',
  11: 'graphs bytes repeated',
  13: 'doc_string bytes',
  14: 'tp bytes',
  15: 'type_protos bytes repeated',
  20: 'type varint',
  21: 'ref_attr_name bytes',
  22: 'sparse_tensor bytes',
  23: 'sparse_tensors bytes repeated',
})

export const TENSOR = message({
  1: 'dims varint packed',
  2: 'data_type varint',
  3: 'segment bytes',
  4: 'float_data fixed32 packed',
  5: 'int32_data varint packed',
  6: 'string_data bytes repeated',
  7: 'int64_data varint packed',
  8: 'name bytes',
  9: 'raw_data bytes',
  10: 'double_data fixed64 packed',
  11: 'uint64_data varint packed',
  12: 'doc_string bytes',
  13: 'external_data bytes repeated',
  14: 'data_location varint',
  16: 'metadata_props bytes repeated',
})

export const SPARSE_TENSOR = message({
  1: 'values bytes',
  2: 'indices bytes',
  3: 'dims varint packed',
})

export const STRING_ENTRY = message({ 1: 'key bytes', 2: 'value bytes' })

export const VALUE_INFO = message({
  1: 'name bytes',
  2: 'type bytes',
  3: 'doc_string bytes',
  4: 'metadata_props bytes repeated',
})

export const TYPE = message({
  1: 'tensor_type bytes',
  4: 'sequence_type bytes',
  5: 'map_type bytes',
  6: 'denotation bytes',
  7: 'opaque_type bytes',
  8: 'sparse_tensor_type bytes',
  9: 'optional_type bytes',
})

export const TENSOR_TYPE = message({ 1: 'elem_type varint', 2: 'shape bytes' })
export const ELEMENT_TYPE = message({ 1: 'elem_type bytes' })
export const MAP_TYPE = message({ 1: 'key_type varint', 2: 'value_type bytes' })
export const SHAPE = message({ 1: 'dim bytes repeated' })
export const DIMENSION = message({
  1: 'dim_value varint',
  2: 'dim_param bytes',
  3: 'denotation bytes',
})

export const FUNCTION = message({
  1: 'name bytes',
  // since_version and status of the first drafts; no reader looks at them.
  2: 'since_version varint',
  3: 'status varint',
  4: 'input bytes repeated',
  5: 'output bytes repeated',
  6: 'attribute bytes repeated',
  7: 'node bytes repeated',
  8: 'doc_string bytes',
  9: 'opset_import bytes repeated',
  10: 'domain bytes',
  11: 'attribute_proto bytes repeated',
  12: 'value_info bytes repeated',
  13: 'overload bytes',
  14: 'metadata_props bytes repeated',
})

function message(fields: Readonly<Record<number, string>>): MessageSchema {
  return new Map(
    Object.entries(fields).map(([number, text]) => {
      const [name = '', encoding, count] = text.split(' ')
      const rule = { name, encoding, ...(count === undefined ? {} : { count }) } as FieldRule
      return [Number(number), rule] as const
    }),
  )
}
