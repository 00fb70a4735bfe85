/** Where in a job a stage stands; steps and rounds count from 1. */
export interface StagePlace {
  /** Inside a `repeat`: which pass of the job, counted on over all its repeats. */
  readonly round?: number
  /** Of the recipe, or of the repeat that the round belongs to; absent: the job or round as a whole. */
  readonly step?: number
  readonly kind: string
}

/** The name of a stage, unique in its job: `report`, `1-calibrate`, `2/1-prune_weights`, `2/measure`. */
export function stageName({ round, step, kind }: StagePlace): string {
  const inRound = round === undefined ? '' : `${round}/`
  const ofStep = step === undefined ? '' : `${step}-`
  return `${inRound}${ofStep}${kind}`
}
