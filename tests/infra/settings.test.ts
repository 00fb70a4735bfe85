// The table of settings in infra/README.md names what the services read: no more, no less.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SERVICES = ['api', 'worker', 'standalone']

interface Setting {
  readonly name: string
  readonly readBy: readonly string[]
  readonly standard: string
  readonly unit: string
  readonly meaning: string
}

/** Rows that begin with a variable: name, services, default, unit, meaning. */
const settings: readonly Setting[] = readFileSync(join(root, 'infra/README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| `[A-Z0-9_]+` +\|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, name = '', readBy = '', standard = '', unit = '', meaning = '']) => ({
    name: name.replaceAll('`', ''),
    readBy: readBy.split(', '),
    standard,
    unit,
    meaning,
  }))

/** Texts in capitals in a config are names of variables. */
function readNames(service: string): string[] {
  const source = readFileSync(join(root, `services/${service}/src/config.ts`), 'utf8')
  return [...new Set(source.match(/(?<=')[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?=')/g))].sort()
}

describe('the settings in infra/README.md', () => {
  it.each(SERVICES)('are those that the configuration of the %s reads', (service) => {
    const names = readNames(service)
    expect(names).toContain('PARE_LOG_LEVEL')
    const listed = settings.filter(({ readBy }) => readBy.includes(service))
    expect(listed.map(({ name }) => name).sort()).toEqual(names)
  })

  it('are listed once each, with default, unit and meaning', () => {
    const names = settings.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
    for (const { name, readBy, standard, unit, meaning } of settings) {
      expect([standard, unit, meaning], name).not.toContain('')
      for (const service of readBy) expect(SERVICES, name).toContain(service)
    }
  })
})
