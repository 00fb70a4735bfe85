// Does the data of a request fit its model? Answered from what the inspections recorded.
import { type DatasetDescription, matchDataset } from '@pare/datasets'
import { CodedError } from '@pare/errors'
import type { DatasetRole, RequestFault } from '@pare/recipe'
import { DATA_TYPES, type DataType } from '@pare/tensor'

import type { ModelDescription } from './model-description.js'

export interface KnownModel {
  /** Hash of the canonical file. */
  readonly sha256: string
  readonly description: ModelDescription
}

export interface KnownDataset {
  /** Hash of the normalized file. */
  readonly sha256: string
  readonly description: DatasetDescription
}

/** @throws dataset_input_missing, dataset_dtype_mismatch, dataset_shape_mismatch, with a pointer */
export function checkDatasetFits(
  role: DatasetRole,
  dataset: KnownDataset,
  model: KnownModel,
): void {
  const inputs = model.description.inputs.map((input) => ({
    ...input,
    dataType: parseDataType(input.data_type),
  }))
  pointingAt(`#/datasets/${role}`, () => matchDataset(dataset.description, inputs))
}

function parseDataType(text: string): DataType {
  const dataType = DATA_TYPES.find((candidate) => candidate === text)
  if (dataType === undefined) throw new Error(`${text} is not a data type of ONNX`)
  return dataType
}

/** Adds to a fault of model or data which element of the request it concerns. */
function pointingAt(pointer: string, check: () => unknown): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const fault: RequestFault = { pointer, code: error.code, detail: error.message }
    const details = { ...error.details, errors: [fault] }
    throw new CodedError({ ...error.toJSON(), details, cause: error })
  }
}
