// What runs stages, for engines; @pare/compression itself only plans them.
export { loadStages, runStage, type StageOrder } from './run-stage.js'
