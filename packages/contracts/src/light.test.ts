// A client that loads the contract must not load the engine.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** Reports every module that is loaded as its URL, on a line of stdout. */
const HOOKS = `
import { writeSync } from 'node:fs'
export async function load(url, context, next) {
  writeSync(1, url + '\\n')
  return next(url, context)
}`

/** URLs of the modules that the built package loads in a process of its own. */
async function modulesLoadedBy(name: string): Promise<readonly string[]> {
  const hooks = `data:text/javascript,${encodeURIComponent(HOOKS)}`
  const script = `
    import { register } from 'node:module'
    register(${JSON.stringify(hooks)})
    await import(${JSON.stringify(name)})`
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: ROOT,
  })
  return stdout.split('\n').filter((line) => line.startsWith('file:'))
}

it('loads fewer than 60 of our modules, and nothing of the engine', async () => {
  const urls = await modulesLoadedBy('@pare/contracts')
  const ours = urls.filter((url) => !url.includes('/node_modules/'))
  expect(ours.length).toBeGreaterThan(10)
  expect(ours.length).toBeLessThan(60)
  const packages = new Set(ours.map((url) => /packages\/([a-z]+)\//.exec(url)?.[1]))
  expect([...packages].sort()).toEqual(['contracts', 'errors', 'recipe'])
  expect(urls.filter((url) => url.includes('onnxruntime'))).toEqual([])
})
