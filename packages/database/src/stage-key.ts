import type { Device, JsonObject } from '@pare/recipe'

import { hashJson } from './canonical-json.js'

/** Everything that a stage's result may depend on. */
export interface StageKeyParts {
  readonly kind: string
  /** role → SHA-256 of the blob. */
  readonly inputs: Readonly<Record<string, string>>
  readonly params: JsonObject
  readonly engineVersion: string
  readonly seed: number
  /** A measurement on one device says nothing about another, and kernels round differently. */
  readonly device: Device
}

/** The name of a stage's result: equal parts give an equal key, in any order of members. */
export function stageKey({
  kind,
  inputs,
  params,
  engineVersion,
  seed,
  device,
}: StageKeyParts): string {
  return hashJson({ kind, inputs, params, engine_version: engineVersion, seed, device })
}
