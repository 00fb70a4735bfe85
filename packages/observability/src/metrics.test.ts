import { expect, it } from 'vitest'

import { createMetrics } from './metrics.js'

it('counts in a registry of its own, so that two services can share a process', async () => {
  const worker = createMetrics()
  const other = createMetrics()
  worker.stagesFinished.inc({ kind: 'calibrate', outcome: 'succeeded' })
  worker.stageSeconds.observe({ kind: 'calibrate', outcome: 'succeeded' }, 0.3)
  const text = await worker.registry.metrics()
  expect(text).toContain('pare_stages_finished_total{kind="calibrate",outcome="succeeded"} 1')
  expect(text).toContain('pare_stage_duration_seconds_bucket{le="0.5"')
  expect(await other.registry.metrics()).not.toContain('kind="calibrate"')
})

it('adds the process itself when asked', async () => {
  const { registry } = createMetrics({ processMetrics: true })
  expect(await registry.metrics()).toContain('process_cpu_seconds_total')
})
