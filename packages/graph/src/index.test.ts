import { expect, test } from 'vitest'

import * as graph from './index.js'

test('the public surface is the one that was agreed on', () => {
  expect(Object.keys(graph).sort()).toMatchSnapshot()
})
