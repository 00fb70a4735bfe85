import { describe, expect, it } from 'vitest'

import { KNOWN_DOMAINS } from './known-ops.js'

// The scanner stands between strangers and onnxruntime. Before you update the snapshot, know what a
// new operator does with hostile inputs: it must read no file, run no code, loop no longer than its
// inputs are.
describe('operators that an upload may use', () => {
  it.each([...KNOWN_DOMAINS])(
    'of domain "%s" are exactly these',
    (_domain, { ops, maxVersion }) => {
      expect({ maxVersion, ops: [...ops].toSorted().join(' ') }).toMatchSnapshot()
    },
  )
})
