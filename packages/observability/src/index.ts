export {
  createLogger,
  LOG_LEVELS,
  type Logger,
  type LoggerOptions,
  type LogLevel,
} from './logger.js'
export {
  createMetrics,
  ENGINE_KILL_REASONS,
  type EngineKillReason,
  type Metrics,
} from './metrics.js'
