// The Doorbell port as a test suite; both servers run it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import type { Doorbell, Listener, ListenOptions, RingHandler, StageRing } from './doorbell.js'

export interface DoorbellServer {
  /** A new bell, as another process would open it. Bells of equal `name` are the same bell. */
  open(name: string): Promise<Doorbell>
  /** Cuts every connection that the server has to its clients. */
  cutConnections(): Promise<void>
  dispose(): Promise<void>
}

export function describeDoorbell(name: string, make: () => Promise<DoorbellServer>): void {
  describe(`${name} as a doorbell`, () => {
    let server: DoorbellServer
    let street: Street
    beforeAll(async () => {
      server = await make()
    })
    afterAll(() => server.dispose())
    afterEach(() => street.leave())

    const enter = (): Promise<Street> =>
      Street.enter(server).then((entered) => {
        street = entered
        return entered
      })
    describeHearing(enter)
    describeSharing(enter)
    describeDevices(enter)
    describeRepeating(enter)
    describeTrouble(enter, () => server)
  })
}

function describeHearing(enter: () => Promise<Street>): void {
  it('brings exactly the stage and the attempt to a listener', async () => {
    const street = await enter()
    const heard = await street.listen()
    await street.bell.ring({ stageId: 'stg_a', attempt: 3 })
    expect(await heard.next(1)).toEqual([{ stageId: 'stg_a', attempt: 3 }])
  })

  it('keeps a ring until somebody listens', async () => {
    const street = await enter()
    await street.bell.ring({ stageId: 'stg_a', attempt: 1 })
    expect(await street.bell.countWaiting()).toBe(1)
    const heard = await street.listen()
    expect(await heard.next(1)).toEqual([{ stageId: 'stg_a', attempt: 1 }])
  })

  it('takes the more urgent ring first', async () => {
    const street = await enter()
    for (const priority of ['low', 'normal', 'high'] as const) {
      await street.bell.ring({ stageId: `stg_${priority}`, attempt: 1 }, { priority })
    }
    const heard = await street.listen({ concurrency: 1 })
    const order = (await heard.next(3)).map(({ stageId }) => stageId)
    expect(order).toEqual(['stg_high', 'stg_normal', 'stg_low'])
  })

  it('holds a delayed ring back until its time', async () => {
    const street = await enter()
    const heard = await street.listen()
    const start = performance.now()
    await street.bell.ring({ stageId: 'stg_late', attempt: 1 }, { delayMs: 400 })
    await street.bell.ring({ stageId: 'stg_soon', attempt: 1 })
    const order = (await heard.next(2)).map(({ stageId }) => stageId)
    expect(order).toEqual(['stg_soon', 'stg_late'])
    // Servers keep whole milliseconds and read another clock than ours.
    expect(performance.now() - start).toBeGreaterThan(390)
  })
}

function describeSharing(enter: () => Promise<Street>): void {
  it('runs no more handlers of a listener at once than it asked for', async () => {
    const street = await enter()
    let running = 0
    let most = 0
    const heard = await street.listen({ concurrency: 2 }, async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 20))
      running -= 1
    })
    await ringMany(street.bell, 6)
    await heard.next(6)
    expect(most).toBe(2)
  })

  it('brings each ring to one of several listeners', async () => {
    const street = await enter()
    const pause: RingHandler = () => new Promise((resolve) => setTimeout(resolve, 10))
    const first = await street.listen({ concurrency: 2 }, pause)
    const second = await street.listen({ concurrency: 2 }, pause)
    await ringMany(street.bell, 12)
    await first.untilTogetherWith(second, 12)
    const stages = [...first.rings, ...second.rings].map(({ stageId }) => stageId)
    expect(new Set(stages).size).toBe(12)
    expect(stages).toHaveLength(12)
  })

  it('lets running handlers end when a listener closes, and brings it nothing more', async () => {
    const street = await enter()
    let finish: () => void = () => undefined
    const held = new Promise<void>((resolve) => (finish = resolve))
    const heard = await street.listen({ concurrency: 1 }, () => held)
    await street.bell.ring({ stageId: 'stg_held', attempt: 1 })
    await heard.next(1)
    let closed = false
    const closing = heard.listener.close().then(() => (closed = true))
    await street.bell.ring({ stageId: 'stg_after', attempt: 1 })
    expect(closed).toBe(false)
    finish()
    await closing
    expect(heard.rings).toHaveLength(1)
    expect(await street.bell.countWaiting()).toBe(1)
  })
}

function describeDevices(enter: () => Promise<Street>): void {
  it('brings a ring only to listeners that have its device', async () => {
    const street = await enter()
    const cpu = await street.listen({ concurrency: 4 })
    await street.bell.ring({ stageId: 'stg_cuda', attempt: 1 }, { device: 'cuda' })
    await street.bell.ring({ stageId: 'stg_cpu', attempt: 1 }, { device: 'cpu' })
    expect(await cpu.next(1)).toEqual([{ stageId: 'stg_cpu', attempt: 1 }])
    expect(await street.bell.countWaiting()).toBe(1)
    const cuda = await street.listen({ concurrency: 4, device: 'cuda' })
    expect(await cuda.next(1)).toEqual([{ stageId: 'stg_cuda', attempt: 1 }])
    expect(cpu.rings).toHaveLength(1)
  })

  it('keeps one ring of an attempt on its device, too', async () => {
    const street = await enter()
    const ring: StageRing = { stageId: 'stg_again', attempt: 1 }
    await street.bell.ring(ring, { device: 'cuda' })
    await street.bell.ring(ring, { device: 'cuda', again: true })
    expect(await street.bell.countWaiting()).toBe(1)
  })
}

function describeRepeating(enter: () => Promise<Street>): void {
  const ring: StageRing = { stageId: 'stg_again', attempt: 1 }

  it('keeps one ring of an attempt that waits, however often it is rung', async () => {
    const street = await enter()
    await street.bell.ring(ring)
    await street.bell.ring(ring)
    await street.bell.ring(ring, { again: true })
    expect(await street.bell.countWaiting()).toBe(1)
  })

  it('is heard again while an earlier ring of the attempt is held by a listener', async () => {
    const street = await enter()
    let finish: () => void = () => undefined
    const held = new Promise<void>((resolve) => (finish = resolve))
    const heard = await street.listen({ concurrency: 2 }, () => held)
    await street.bell.ring(ring)
    await heard.next(1)
    await street.bell.ring(ring, { again: true })
    expect(await heard.next(2)).toEqual([ring, ring])
    finish()
  })

  it('is heard again after the earlier ring was consumed', async () => {
    const street = await enter()
    const heard = await street.listen()
    await street.bell.ring(ring)
    await heard.next(1)
    await street.bell.ring(ring, { again: true })
    expect(await heard.next(2)).toEqual([ring, ring])
  })
}

function describeTrouble(enter: () => Promise<Street>, server: () => DoorbellServer): void {
  it('goes on after a handler threw, and does not repeat its ring', async () => {
    const street = await enter()
    const heard = await street.listen({ concurrency: 1 }, ({ stageId }) =>
      stageId === 'stg_bad' ? Promise.reject(new Error('handler')) : Promise.resolve(),
    )
    await street.bell.ring({ stageId: 'stg_bad', attempt: 1 })
    await heard.next(1)
    await street.bell.ring({ stageId: 'stg_good', attempt: 1 })
    const stages = (await heard.next(2)).map(({ stageId }) => stageId)
    expect(stages).toEqual(['stg_bad', 'stg_good'])
    expect(await street.bell.countWaiting()).toBe(0)
  })

  it('is heard again after every connection was cut', async () => {
    const street = await enter()
    const heard = await street.listen()
    await street.bell.ring({ stageId: 'stg_before', attempt: 1 })
    await heard.next(1)
    await server().cutConnections()
    // The first rings may meet the cut connection: a caller that must be heard rings again.
    await ringUntilTaken(street.bell, { stageId: 'stg_after', attempt: 1 })
    expect((await heard.next(2)).at(-1)).toEqual({ stageId: 'stg_after', attempt: 1 })
  })

  it('answers a health check', async () => {
    const street = await enter()
    await expect(street.bell.checkHealth()).resolves.toBeUndefined()
  })

  it('can be opened by many at once on a server that never saw it', async () => {
    const street = await enter()
    const bells = await Promise.all(Array.from({ length: 4 }, () => server().open(street.name)))
    await Promise.all(bells.map((bell, i) => bell.ring({ stageId: `stg_${i}`, attempt: 1 })))
    expect(await street.bell.countWaiting()).toBe(4)
    await Promise.all(bells.map((bell) => bell.close()))
  })
}

async function ringMany(bell: Doorbell, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await bell.ring({ stageId: `stg_${i}`, attempt: 1 })
}

async function ringUntilTaken(bell: Doorbell, ring: StageRing): Promise<void> {
  for (;;) {
    try {
      await bell.ring(ring, { again: true })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

let streets = 0

/** One bell of its own per test, with everything that was opened on it. */
class Street {
  readonly name: string
  readonly bell: Doorbell
  readonly #server: DoorbellServer
  readonly #bells: Doorbell[] = []

  private constructor(server: DoorbellServer, name: string, bell: Doorbell) {
    this.#server = server
    this.name = name
    this.bell = bell
    this.#bells.push(bell)
  }

  static async enter(server: DoorbellServer): Promise<Street> {
    streets += 1
    const name = `test-${process.pid}-${streets}`
    return new Street(server, name, await server.open(name))
  }

  /** Listens with a bell of its own, as another process does. */
  async listen(
    options: ListenOptions = { concurrency: 4 },
    handler: RingHandler = () => Promise.resolve(),
  ): Promise<Heard> {
    const bell = await this.#server.open(this.name)
    this.#bells.push(bell)
    const heard = new Heard()
    heard.listener = await bell.listen((ring) => {
      heard.add(ring)
      return handler(ring)
    }, options)
    return heard
  }

  async leave(): Promise<void> {
    await Promise.all(this.#bells.map((bell) => bell.close()))
  }
}

class Heard {
  readonly rings: StageRing[] = []
  listener: Listener = { close: () => Promise.resolve() }
  #onRing: (() => void)[] = []

  add(ring: StageRing): void {
    this.rings.push(ring)
    const waiting = this.#onRing
    this.#onRing = []
    for (const resolve of waiting) resolve()
  }

  async next(count: number): Promise<readonly StageRing[]> {
    while (this.rings.length < count) await this.#ring()
    return this.rings
  }

  async untilTogetherWith(other: Heard, count: number): Promise<void> {
    while (this.rings.length + other.rings.length < count) {
      await Promise.race([this.#ring(), other.#ring()])
    }
  }

  #ring(): Promise<void> {
    return new Promise((resolve) => this.#onRing.push(resolve))
  }
}
