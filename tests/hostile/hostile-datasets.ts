// Data files that are broken or meant to do harm, and what must be said about each.
import { float32Array, int64Array, joinBytes, npy, npz, zip } from '@pare/datasets/testing'

import type { HostileFile } from './hostile-models.js'
import { classes, datasetFile, inputs, SAMPLES } from './sound-files.js'

/** A .npy file with this header and nothing behind it. */
function npyWithHeader(header: string, payload = new Uint8Array(64)): Uint8Array {
  const padded = header.padEnd(128 - 10 - 1).concat('\n')
  const start = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length, 0)
  return joinBytes([start, new TextEncoder().encode(padded), payload])
}

function withNan() {
  const x = inputs()
  const data = new Float32Array(x.data.buffer.slice(0))
  data[16 * 7 + 3] = NaN
  return { ...x, data }
}

export const HOSTILE_DATASETS: readonly HostileFile[] = [
  {
    what: 'a comma-separated table',
    file: () => new TextEncoder().encode('a,b,label\n1,2,0\n3,4,1\n'),
    code: 'dataset_format_unknown',
    says: /npz/,
  },
  {
    what: 'an archive cut off in the middle',
    file: () => datasetFile().subarray(0, 900),
    code: 'dataset_truncated',
    says: /cut off.*send it again/,
  },
  {
    what: 'an array cut off in the middle',
    file: () => npy(inputs()).subarray(0, 400),
    code: 'dataset_truncated',
    says: /array/,
  },
  {
    what: 'pickled Python objects',
    file: () =>
      zip([
        {
          name: 'x.npy',
          content: npyWithHeader("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"),
        },
      ]),
    code: 'dataset_dtype_unsupported',
    says: /"x".*object|object.*"x"/,
  },
  {
    what: 'code where the header should be',
    file: () => npyWithHeader("__import__('os').system('touch /tmp/pwned')"),
    code: 'dataset_array_invalid',
    says: /header/,
  },
  {
    what: 'a NaN',
    file: () => npz({ x: withNan(), label: classes() }),
    code: 'dataset_nan',
    says: /"x".*7/,
  },
  {
    what: 'no samples',
    file: () => npz({ x: float32Array([0, 16], []) }),
    code: 'dataset_empty',
    says: /"x"/,
  },
  {
    what: 'arrays of different lengths',
    file: () => npz({ x: inputs(), label: classes(SAMPLES - 1) }),
    code: 'dataset_lengths_differ',
    says: /"x".*24.*"label".*23|"label".*23.*"x".*24/,
  },
  {
    what: 'an entry that leaves its folder',
    file: () => zip([{ name: '../../x.npy', content: npy(inputs()) }]),
    code: 'dataset_archive_entry_refused',
    says: /\.\.\/\.\.\/x/,
  },
  {
    what: 'labels that are not there',
    file: datasetFile,
    query: '&labels=targets',
    code: 'dataset_labels_missing',
    says: /"targets".*label/,
  },
  {
    what: 'an archive that inflates a thousandfold',
    file: () =>
      npz(
        { x: { dataType: 'float32', dims: [2 ** 18, 128], data: new Float32Array(2 ** 25) } },
        { compressed: true },
      ),
    code: 'dataset_inflation_refused',
    says: /at most 200 to 1.*fewer samples/,
  },
  {
    what: 'an entry that claims to be small',
    file: () =>
      zip([
        {
          name: 'x.npy',
          content: npy(float32Array([1024, 64], new Float32Array(65_536))),
          compressed: true,
          claims: { inflatedBytes: 256 },
        },
      ]),
    code: 'dataset_inflation_refused',
    says: /"x\.npy" claims 256 bytes/,
  },
  {
    what: 'a shape beyond all memory',
    file: () =>
      zip([
        {
          name: 'x.npy',
          content: npyWithHeader(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (9000000000000, 4096), }",
          ),
        },
      ]),
    code: 'dataset_limit_exceeded',
    says: /"x"/,
  },
  {
    what: 'a scalar',
    file: () => npz({ x: int64Array([], [3]) }),
    code: 'dataset_array_invalid',
    says: /"x"/,
  },
]
