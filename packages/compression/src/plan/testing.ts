// A small classifier and its data, as their inspections describe them.
import type { DatasetDescription } from '@pare/datasets'

import type { KnownDataset, KnownModel } from './check-datasets.js'

export const MODEL: KnownModel = {
  sha256: 'm'.repeat(64),
  description: {
    inputs: [{ name: 'image', data_type: 'float32', shape: ['batch', 1, 28, 28] }],
    outputs: [{ name: 'logits', data_type: 'float32', shape: ['batch', 10] }],
    ir_version: 8,
    opset_imports: [{ domain: '', version: 17 }],
    producer: 'test',
    parameters: 10,
    nodes: 1,
    op_types: { Conv: 1 },
    size_bytes: 100,
    trial_run: { ok: true, detail: '' },
  },
}

export function dataset(changes: Partial<DatasetDescription> = {}): KnownDataset {
  return {
    sha256: 'd'.repeat(64),
    description: {
      arrays: [
        { name: 'image', dataType: 'float32', dims: [8, 1, 28, 28] },
        { name: 'label', dataType: 'int64', dims: [8] },
      ],
      samples: 8,
      labels: { kind: 'classes', name: 'label', min: 0, max: 9 },
      checks: [],
      ...changes,
    },
  }
}
