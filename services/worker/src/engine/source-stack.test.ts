import { expect, it } from 'vitest'

import { sourceStack } from './source-stack.js'

it('leaves places as they are that have no map, or are elsewhere', () => {
  const stack = [
    'Error: it failed at file:///etc/passwd.js:1:1',
    '    at run (file:///app/engine.js:10:5)',
    '    at node:internal/process/task_queues:95:5',
  ].join('\n')
  expect(sourceStack(stack, 'file:///app/')).toBe(stack)
})
