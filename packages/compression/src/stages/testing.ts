// Running stages in tests: a plan without queue or database, on the examples of the repository.
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { type InferenceRuntime, withSessionDefaults } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import type { FinishedStage, JobPlan, JsonObject } from '@pare/recipe'

import { growPlan } from '../plan/grow-plan.js'
import { runStage } from './run-stage.js'
import type { StageResult } from './stage.js'
import type { StageKind } from './stage-table.js'

/** Path of a file in `examples/`. */
export function example(name: string): string {
  return fileURLToPath(new URL(`../../../../examples/${name}`, import.meta.url))
}

/** Path of an output; throws where the stage has none of this role. */
export function pathOf(result: StageResult, role: string): string {
  const output = result.outputs.find((candidate) => candidate.role === role)
  if (output === undefined) throw new Error(`no output ${role}`)
  return output.path
}

/** Runs stages in folders of their own below `root`. */
export class StageRunner {
  private readonly root: string
  private readonly runtime: InferenceRuntime
  private folders = 0

  constructor(root: string, runtime: InferenceRuntime = onnxRuntime()) {
    this.root = root
    this.runtime = runtime
  }

  async run(
    kind: StageKind,
    paths: Readonly<Record<string, string>>,
    params: JsonObject = {},
  ): Promise<StageResult> {
    const workDir = await mkdtemp(join(this.root, `${this.folders++}-`))
    return runStage(kind, {
      inputs: Object.entries(paths).map(([role, path]) => ({ role, path, sha256: role })),
      params,
      seed: 0,
      workDir,
      threads: 1,
      device: 'cpu',
      runtime: withSessionDefaults(this.runtime, { externalDataFolder: workDir }),
      onProgress: () => undefined,
    })
  }

  /** Runs a plan to its end: what each stage hands on is a path. `blobs` are the uploads, by sha256. */
  async runPlan(
    plan: JobPlan<StageKind>,
    blobs: Readonly<Record<string, string>>,
  ): Promise<ReadonlyMap<string, StageResult>> {
    const results = new Map<string, StageResult>()
    for (let grown = plan; ; grown = growPlan(grown, finishedOf(results))) {
      await this.runStages(grown, blobs, results)
      if (grown.isComplete) return results
    }
  }

  private async runStages(
    { stages }: JobPlan<StageKind>,
    blobs: Readonly<Record<string, string>>,
    results: Map<string, StageResult>,
  ): Promise<void> {
    for (const stage of stages) {
      if (results.has(stage.name)) continue
      const paths = stage.inputs.map(({ role, from }) => {
        if ('blob' in from) return [role, blobs[from.blob]!] as const
        return [role, pathOf(results.get(from.stage)!, from.role)] as const
      })
      results.set(stage.name, await this.run(stage.kind, Object.fromEntries(paths), stage.params))
    }
  }
}

function finishedOf(results: ReadonlyMap<string, StageResult>): readonly FinishedStage[] {
  return [...results].map(([name, { metrics }]) => ({ name, metrics }))
}
