// Takes over what an engine process says that it wrote. The process is gone by now, so nothing can
// change under the checks, but it may have left anything.
import { lstat, realpath } from 'node:fs/promises'
import { sep } from 'node:path'

import type { StageOutputs } from '@pare/database'
import type { BlobStore } from '@pare/storage'

import type { EngineResult } from './engine/protocol.js'
import { workerErrors } from './errors.js'

export interface CollectOptions {
  readonly store: BlobStore
  readonly workDir: string
  readonly maxBytes: number
}

/**
 * Rules, in this order: a role is given once; the path lies inside the work folder without any link
 * on the way; it is a regular file with one name; it is not too large. Then the bytes are stored
 * under their hash.
 */
export async function collectOutputs(
  outputs: EngineResult['outputs'],
  options: CollectOptions,
): Promise<StageOutputs> {
  const collected: [string, StageOutputs[string]][] = []
  for (const { role, path, mediaType } of outputs) {
    if (collected.some(([known]) => known === role)) throw invalid(role, 'is given twice')
    await checkFile(role, path, options)
    const { sha256, sizeBytes } = await options.store.putFile(path)
    collected.push([role, { sha256, sizeBytes, mediaType }])
  }
  return Object.fromEntries(collected)
}

async function checkFile(role: string, path: string, options: CollectOptions): Promise<void> {
  const file = await lstat(path).catch(() => null)
  if (file === null) throw invalid(role, 'does not exist')
  // A link, a pipe or a second name would let the stage hand out bytes that are not its own.
  if (!file.isFile() || file.nlink !== 1) throw invalid(role, 'is not a regular file of its own')
  const real = await realpath(path)
  if (real !== path || !real.startsWith((await realpath(options.workDir)) + sep)) {
    throw invalid(role, 'is outside the work folder')
  }
  if (file.size <= options.maxBytes) return
  throw workerErrors.engine_output_too_large(
    `the output "${role}" has ${file.size} bytes, more than the allowed ${options.maxBytes}`,
    { details: { role, size_bytes: file.size, limit_bytes: options.maxBytes } },
  )
}

function invalid(role: string, problem: string): Error {
  return workerErrors.engine_output_invalid(`the output "${role}" ${problem}`, {
    details: { role },
  })
}
