// The thread that counts values for its parent; see `count-in-thread.ts`.
import { parentPort, workerData } from 'node:worker_threads'

import type { FromCountingThread, ToCountingThread } from './count-in-thread.js'
import { Collectors, discard } from './counter.js'
import { observerOf } from './observers.js'
import type { StatisticsKind } from './statistics.js'

const { kind } = workerData as { readonly kind: StatisticsKind }
const observer = observerOf(kind)
if (observer.looksAt !== 'values') throw new Error(`${kind} does not look at values`)
const collectors = new Collectors(observer)

parentPort?.on('message', (message: ToCountingThread) => {
  if (message.type === 'add') {
    for (const tensor of message.tensors) collectors.add(tensor)
    discard(message.tensors)
    reply({ type: 'counted' })
  } else reply({ type: 'states', states: collectors.states() })
})

function reply(message: FromCountingThread): void {
  parentPort?.postMessage(message)
}
