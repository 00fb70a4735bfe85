import type { RunsStage } from './stage.js'
import { STAGE_TABLE, type StageKind } from './stage-table.js'

/** The rows of the catalogue, each with its module: that every module's function fits its row is checked here. */
export const STAGE_MODULES: {
  readonly [Kind in StageKind]: { readonly module: () => Promise<RunsStage<Kind>> }
} = STAGE_TABLE
