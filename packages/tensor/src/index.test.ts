import { expect, test } from 'vitest'

import * as tensor from './index.js'

test('the public surface is the one that was agreed on', () => {
  expect(Object.keys(tensor).sort()).toMatchSnapshot()
})
