// Every metric that the product exposes, in one list, so that names and labels are found in one
// place. Labels have few values: never an id.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Milliseconds to an hour: stages, requests and waits differ by six orders of magnitude. */
const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1, 5, 30]

export const ENGINE_KILL_REASONS = ['timeout', 'canceled', 'memory', 'superseded', 'drain'] as const

export type EngineKillReason = (typeof ENGINE_KILL_REASONS)[number]

export interface Metrics {
  readonly registry: Registry
  readonly stagesStarted: Counter<'kind'>
  /** `outcome`: succeeded, failed, canceled, released, lost, or the code class of a retry. */
  readonly stagesFinished: Counter<'kind' | 'outcome'>
  readonly stageSeconds: Histogram<'kind' | 'outcome'>
  /** From being claimable to being claimed. */
  readonly stageWaitSeconds: Histogram<'kind'>
  readonly stagesRunning: Gauge
  readonly queueWaiting: Gauge
  readonly engineKills: Counter<'reason'>
  readonly webhookDeliveries: Counter<'outcome'>
  readonly webhookSeconds: Histogram<'outcome'>
  readonly requestSeconds: Histogram<'method' | 'route' | 'status'>
}

/** A registry of its own for each call, so that two services can live in one process. */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry()
  const registers = [registry]
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry })
  return { registry, ...stageMetrics(registers), ...trafficMetrics(registers) }
}

type StageMetrics = Omit<Metrics, 'registry' | keyof TrafficMetrics>

type TrafficMetrics = Pick<Metrics, 'webhookDeliveries' | 'webhookSeconds' | 'requestSeconds'>

function stageMetrics(registers: Registry[]): StageMetrics {
  return {
    stagesStarted: new Counter({
      name: 'pare_stages_started_total',
      help: 'Attempts at stages that a worker began',
      labelNames: ['kind'],
      registers,
    }),
    stagesFinished: new Counter({
      name: 'pare_stages_finished_total',
      help: 'Attempts at stages that ended, by outcome',
      labelNames: ['kind', 'outcome'],
      registers,
    }),
    stageSeconds: new Histogram({
      name: 'pare_stage_duration_seconds',
      help: 'From claim to end of an attempt',
      labelNames: ['kind', 'outcome'],
      buckets: SECONDS,
      registers,
    }),
    stageWaitSeconds: new Histogram({
      name: 'pare_stage_wait_seconds',
      help: 'From the moment a stage could be claimed to its claim',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    }),
    stagesRunning: new Gauge({
      name: 'pare_stages_running',
      help: 'Stages that this worker runs now',
      registers,
    }),
    queueWaiting: new Gauge({
      name: 'pare_queue_waiting',
      help: 'Rings that wait in the queue',
      registers,
    }),
    engineKills: new Counter({
      name: 'pare_engine_kills_total',
      help: 'Engine processes that their worker killed, by reason',
      labelNames: ['reason'],
      registers,
    }),
  }
}

function trafficMetrics(registers: Registry[]): TrafficMetrics {
  return {
    webhookDeliveries: new Counter({
      name: 'pare_webhook_deliveries_total',
      help: 'Delivery attempts of webhooks, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    webhookSeconds: new Histogram({
      name: 'pare_webhook_duration_seconds',
      help: 'Duration of delivery attempts of webhooks',
      labelNames: ['outcome'],
      buckets: SECONDS,
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'pare_http_request_duration_seconds',
      help: 'HTTP requests by route',
      labelNames: ['method', 'route', 'status'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
  }
}
