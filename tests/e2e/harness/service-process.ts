// A service as its own process, run from the build as in production, told apart by its log.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { until } from './until.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface LogLine {
  readonly msg?: string
  readonly [field: string]: unknown
}

export interface ServiceOptions {
  /** `api`, `worker` or `standalone`. */
  readonly service: string
  readonly env: Readonly<Record<string, string>>
}

export interface ProcessEnd {
  readonly code: number | null
  readonly signal: string | null
}

export class ServiceProcess {
  readonly log: LogLine[] = []
  /** What it printed that is no log line. */
  output = ''
  readonly ended: Promise<ProcessEnd>
  readonly #child: ChildProcess
  readonly #service: string

  private constructor(child: ChildProcess, service: string) {
    this.#child = child
    this.#service = service
    this.ended = once(child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
    }))
    this.#readLines()
  }

  static start({ service, env }: ServiceOptions): ServiceProcess {
    return ServiceProcess.run([process.execPath, `services/${service}/dist/main.js`], env)
  }

  /** Any command, in the root of the project. */
  static run(
    [program = '', ...args]: readonly string[],
    env: Readonly<Record<string, string>>,
  ): ServiceProcess {
    const child = spawn(program, args, {
      cwd: root,
      // Nothing of the test run's own settings, credentials or colours.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new ServiceProcess(child, [program, ...args].join(' '))
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#service} did not start`)
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The first log line with this message. */
  untilSaid(msg: string, limitMs = 60_000): Promise<LogLine> {
    return until(
      `${this.#service} to say "${msg}"`,
      () => {
        const line = this.log.find((candidate) => candidate.msg === msg)
        if (line !== undefined || this.isRunning) return line
        throw new Error(`${this.#service} ended: ${this.tail()}`)
      },
      { limitMs },
    )
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  kill(): Promise<ProcessEnd> {
    this.signal('SIGKILL')
    return this.ended
  }

  stop(): Promise<ProcessEnd> {
    // A stopped process acts on nothing else.
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    return this.ended
  }

  tail(): string {
    return [...this.log.slice(-20).map((line) => JSON.stringify(line)), this.output].join('\n')
  }

  #readLines(): void {
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = ''
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) this.#take(line)
      })
    }
  }

  #take(line: string): void {
    if (!line.startsWith('{')) this.output += `${line}\n`
    else this.log.push(JSON.parse(line) as LogLine)
  }
}
