/** Sparse tensors. A reader makes them dense, so their dense size is what counts. */
import { storedBytes } from './element-types.js'
import type { Place } from './place.js'
import { readMessage } from './read-message.js'
import { child, refuse, type ScanContext } from './scan-context.js'
import { checkClaim, checkRank, elementCount, readInts, scanTensor } from './scan-tensor.js'
import type { TensorFacts } from './shape-claim.js'
import { SPARSE_TENSOR } from './wire-schema.js'

export function scanSparseTensor(context: ScanContext, place: Place): TensorFacts {
  const dims: bigint[] = []
  let values: TensorFacts | undefined
  let indices: TensorFacts | undefined
  readMessage(context, SPARSE_TENSOR, place, (field) => {
    if (field.name === 'values')
      values = scanTensor(context, child(place, 'values', field, { nameField: 8 }))
    else if (field.name === 'indices')
      indices = scanTensor(context, child(place, 'indices', field, { nameField: 8 }))
    else {
      readInts(context, place, field, { into: dims, limit: context.limits.maxTensorRank })
      checkRank(context, place, dims)
    }
  })
  if (values === undefined || indices === undefined) {
    throw refuse(context, 'tensor_size_mismatch', place, 'values or indices are missing')
  }
  checkSparseShape(context, place, { values, indices, dims })
  const elements = elementCount(context, place, dims)
  checkClaim(context, place, storedBytes(values.elementType, elements))
  return { name: values.name, elementType: values.elementType, dims, elements }
}

interface SparseParts {
  readonly values: TensorFacts
  readonly indices: TensorFacts
  readonly dims: readonly bigint[]
}

function checkSparseShape(context: ScanContext, place: Place, parts: SparseParts): void {
  const { values, indices, dims } = parts
  const stored = values.elements
  const isLinear = indices.dims.length === 1 && indices.elements === stored
  const isCoordinates =
    indices.dims.length === 2 &&
    indices.dims[0] === stored &&
    indices.dims[1] === BigInt(dims.length)
  if (
    indices.elementType.name !== 'int64' ||
    values.dims.length > 1 ||
    !(isLinear || isCoordinates)
  ) {
    const reason = `${stored} values do not go with indices [${indices.dims.join(', ')}]`
    throw refuse(context, 'tensor_size_mismatch', place, reason)
  }
}
