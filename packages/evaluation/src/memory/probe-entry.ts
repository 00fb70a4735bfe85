// The probe process: takes one request over IPC, measures, replies, ends.
// eslint-disable-next-line no-restricted-imports -- a process of its own, which reads its own peak
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { firstBatch, openDataset, sampleSource } from '@pare/datasets'
import { openFile } from '@pare/datasets/node'
import { coerceError } from '@pare/errors'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { isBundle, openModelFile } from '@pare/onnx/bundle'

import { probeMemory } from './memory-probe.js'
import type { MemoryProbeReply, MemoryProbeRequest } from './node.js'
import { warmUpRuntime } from './warm-up-runtime.js'

process.once('message', (request) => {
  void reply(request as MemoryProbeRequest)
})

// Whoever asked is gone: nobody waits for the answer.
process.once('disconnect', () => process.exit(1))

async function reply(request: MemoryProbeRequest): Promise<void> {
  const message = await measure(request).catch((thrown: unknown): MemoryProbeReply => {
    return { failure: coerceError(thrown).message }
  })
  process.send?.(message, () => process.exit(0))
}

async function measure(request: MemoryProbeRequest): Promise<MemoryProbeReply> {
  const runtime = onnxRuntime()
  const file = await openFile(request.datasetPath)
  const dataset = await openDataset(file, request.labels ? { labels: request.labels } : {})
  const { inputs, batchSize, session, modelPath, runs = 3 } = request
  const source = sampleSource(dataset, { match: { inputs, fixedBatchSize: batchSize } })
  const first = await firstBatch(source, batchSize)
  await file.close()
  if (first === undefined) return { failure: 'the data set has no sample' }
  const model = openModel(modelPath)
  const options = { ...session, externalDataFolder: dirname(modelPath) }
  // What the runtime itself takes on first use is not the model's.
  await warmUpRuntime(runtime, options)
  resetPeak()
  const { feeds } = first
  return {
    memory: await probeMemory({ runtime, model, feeds, session: options, runs, readMemory }),
  }
}

/** A bundle's weights stay in it, in the folder that the session is told. */
function openModel(path: string): Uint8Array | { readonly path: string } {
  return isBundle(path) ? encodeModel(openModelFile(path).model) : { path }
}

/** Linux counts the peak per process image; `ru_maxrss` would include the parent's before exec. */
function readMemory() {
  const residentBytes = process.memoryUsage.rss()
  if (process.platform !== 'linux') {
    return { residentBytes, peakBytes: process.resourceUsage().maxRSS * 1024 }
  }
  const peakKiB = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return { residentBytes, peakBytes: Math.max(residentBytes, Number(peakKiB ?? 0) * 1024) }
}

/** proc(5), clear_refs: 5 sets the peak to what is resident now. */
function resetPeak(): void {
  if (process.platform !== 'linux') return
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // A sandbox may forbid it: the peak then includes the start of the process, for both models.
  }
}
