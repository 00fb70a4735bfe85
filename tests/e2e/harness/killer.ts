// Kills workers: at any moment, and while the transaction that ends a round lets the plan grow.
import { setTimeout as sleep } from 'node:timers/promises'

import type { Cluster } from './cluster.js'
import type { Gates } from './gates.js'
import type { ServiceProcess } from './service-process.js'

export interface Kills {
  readonly done: number
  /** Those that met a worker whose transaction stood in the growth of a plan. */
  readonly inGrowth: number
}

export interface KillPlan {
  readonly kills: number
  readonly everyMs: number
  /** Each so many kills, one is aimed at a growth. */
  readonly aimEvery: number
  readonly onKill?: (kills: Kills) => void
}

/** A stage that lost as many attempts is spared: one that loses six in a row fails, as it should. */
const SPARED_FAULTS = 4

export class Killer {
  readonly #cluster: Cluster
  readonly #gates: Gates
  readonly #replacing = new Map<ServiceProcess, Promise<void>>()
  #isDone = false

  constructor(cluster: Cluster, gates: Gates) {
    this.#cluster = cluster
    this.#gates = gates
  }

  get isDone(): boolean {
    return this.#isDone
  }

  /** Resolves when the last victim is replaced. */
  async kill({ kills, everyMs, aimEvery, onKill }: KillPlan): Promise<Kills> {
    let tally: Kills = { done: 0, inGrowth: 0 }
    try {
      while (tally.done < kills) {
        const isAimed = tally.done % aimEvery === aimEvery - 1
        const hitGrowth = isAimed && (await this.#killInGrowth())
        if (!hitGrowth) await this.#killAtSomeMoment(everyMs)
        tally = { done: tally.done + 1, inGrowth: tally.inGrowth + (hitGrowth ? 1 : 0) }
        onKill?.(tally)
      }
      await Promise.all(this.#replacing.values())
      return tally
    } finally {
      this.#isDone = true
    }
  }

  async #killAtSomeMoment(everyMs: number): Promise<void> {
    // Exponential waits: a kill is as likely at any moment.
    await sleep(-Math.log(1 - Math.random()) * everyMs)
    for (;;) {
      const spared = await this.#workersToSpare()
      const candidates = this.#cluster.workers.filter(
        (worker) => this.#isAtWork(worker) && !spared.has(worker.pid),
      )
      const victim = candidates[Math.floor(Math.random() * candidates.length)]
      if (victim !== undefined) return this.#replace(victim)
      await sleep(20)
    }
  }

  /** False when no plan grew in time, or none that a worker lets grow: the cache does so too. */
  async #killInGrowth(): Promise<boolean> {
    await this.#gates.close('growth')
    try {
      const reached = this.#gates.untilJobReached('growth', { limitMs: 60_000 })
      const job = await reached.catch(() => null)
      const victim = job === null ? undefined : await this.#workerThatEnds(job)
      if (victim === undefined) return false
      await this.#replace(victim)
      return true
    } finally {
      await this.#gates.open('growth')
    }
  }

  /** Nobody else sees yet that the last stage of this job has succeeded. */
  async #workerThatEnds(job: string): Promise<ServiceProcess | undefined> {
    const { rows } = await this.#cluster.database.pool.query<{ worker: string }>(
      `SELECT worker FROM stage WHERE job_id = $1 AND state = 'running' AND faults < $2`,
      [job, SPARED_FAULTS],
    )
    const pid = pidOf(rows[0]?.worker)
    return this.#cluster.workers.find((worker) => worker.pid === pid && this.#isAtWork(worker))
  }

  async #workersToSpare(): Promise<ReadonlySet<number>> {
    const { rows } = await this.#cluster.database.pool.query<{ worker: string }>(
      `SELECT worker FROM stage WHERE state = 'running' AND faults >= $1`,
      [SPARED_FAULTS],
    )
    return new Set(rows.map(({ worker }) => pidOf(worker)))
  }

  #isAtWork(worker: ServiceProcess): boolean {
    return !this.#replacing.has(worker) && worker.log.some(({ msg }) => msg === 'worker started')
  }

  /** Resolves when it is dead; another one starts meanwhile. */
  async #replace(victim: ServiceProcess): Promise<void> {
    const replaced = this.#cluster.replaceWorker(victim)
    // Whoever waits for all of them hears of a failure.
    replaced.catch(() => undefined)
    this.#replacing.set(victim, replaced)
    await victim.ended
  }
}

/** Of a worker that is `host:pid:nonce`. */
function pidOf(worker: string | undefined): number {
  return Number(worker?.split(':').at(-2))
}
