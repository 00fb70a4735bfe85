import { expect, test } from 'vitest'

import * as database from './index.js'

test('the public surface is the one that was agreed on', () => {
  expect(Object.keys(database).sort()).toMatchSnapshot()
})
