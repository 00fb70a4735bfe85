import { expect, it } from 'vitest'

import * as api from './index.js'

it('exports what its README names, and nothing by accident', () => {
  expect(Object.keys(api).toSorted()).toMatchSnapshot()
})
