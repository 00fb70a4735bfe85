// Settings come from the environment as text. A service reads each once, at its start, into one
// typed object; a wrong one stops the start, with all faults named together.
import { coerceError } from '@pare/errors'

import { errors } from './errors.js'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Bounds {
  readonly min: number
  readonly max: number
}

/** Values that are empty count as absent. A fault never repeats a value: it may be a secret. */
export class EnvironmentReader {
  readonly #environment: Environment
  readonly #faults: string[] = []

  constructor(environment: Environment) {
    this.#environment = environment
  }

  text(name: string, fallback: string): string {
    return this.optionalText(name) ?? fallback
  }

  optionalText(name: string): string | undefined {
    const value = this.#environment[name]
    return value === '' ? undefined : value
  }

  url(name: string, protocols: readonly string[], fallback = ''): string {
    const value = this.text(name, fallback)
    if (URL.canParse(value) && protocols.includes(new URL(value).protocol)) return value
    this.fault(name, `expected a URL that begins with ${protocols.join(' or ')}`)
    return ''
  }

  integer(name: string, { fallback, ...bounds }: Bounds & { readonly fallback: number }): number {
    return this.optionalInteger(name, bounds) ?? fallback
  }

  optionalInteger(name: string, { min, max }: Bounds): number | undefined {
    const text = this.optionalText(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (Number.isInteger(value) && value >= min && value <= max) return value
    this.fault(name, `expected an integer from ${min} to ${max}`)
    return undefined
  }

  choice<const Choice extends string>(
    name: string,
    choices: readonly Choice[],
    fallback: Choice,
  ): Choice {
    const text = this.text(name, fallback)
    const found = choices.find((choice) => choice === text)
    if (found === undefined) this.fault(name, `expected one of ${choices.join(', ')}`)
    return found ?? fallback
  }

  /** Comma-separated; `check` throws when an item is not usable. */
  list(name: string, check?: (items: readonly string[]) => unknown): readonly string[] {
    const items = this.text(name, '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    try {
      check?.(items)
    } catch (error) {
      this.fault(name, coerceError(error).message)
    }
    return items
  }

  fault(name: string, problem: string): void {
    this.#faults.push(`${name}: ${problem}`)
  }

  /** @throws configuration_invalid with one line per fault */
  throwFaults(): void {
    if (this.#faults.length === 0) return
    throw errors.configuration_invalid(this.#faults.join('\n'), {
      details: { errors: this.#faults.map((detail) => ({ detail, code: 'invalid' })) },
    })
  }
}
