import type { JsonObject } from '@pare/recipe'

import { hashJson } from './canonical-json.js'

/** Everything that a stage's result may depend on. */
export interface StageKeyParts {
  readonly kind: string
  /** role → SHA-256 of the blob. */
  readonly inputs: Readonly<Record<string, string>>
  readonly params: JsonObject
  readonly engineVersion: string
  readonly seed: number
}

/** The name of a stage's result: equal parts give an equal key, in any order of members. */
export function stageKey({ kind, inputs, params, engineVersion, seed }: StageKeyParts): string {
  return hashJson({ kind, inputs, params, engine_version: engineVersion, seed })
}
