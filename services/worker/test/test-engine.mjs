// An engine entry for tests: the real engine loop with stages that do as their params say. Plain
// JavaScript, because an engine process runs without a compiler; it uses the built engine loop.
import { spawn } from 'node:child_process'
import { link, readFile, symlink, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { defineErrors } from '@pare/errors'

import { runEngine } from '../dist/engine/run-engine.js'

const errors = defineErrors({
  test_model_bad: { kind: 'invalid_input', fault: 'model', title: 'The test model is bad.' },
  test_unavailable: { kind: 'unavailable', title: 'Something is away.' },
})

const actions = {
  /** Writes what it was given, so that the result depends on the inputs. */
  async write(context) {
    const texts = await Promise.all(context.inputs.map(({ path }) => readFile(path, 'utf8')))
    const path = join(context.workDir, 'output')
    await writeFile(path, JSON.stringify({ texts, params: context.params, seed: context.seed }))
    const roles = context.params.roles ?? ['model']
    return {
      outputs: [{ role: roles[0], path, mediaType: 'text/plain' }],
      metrics: {
        env: Object.keys(process.env),
        cwd: readdirSync('.'),
        pid: process.pid,
        device: context.device,
        threads: context.threads,
      },
    }
  },
  /** Blocks the event loop, as onnxruntime does with an endless Loop. */
  async spin(context) {
    context.onProgress({ done: 1, total: 10, unit: 'turns', message: `pid ${process.pid}` })
    for (;;) Math.random()
  },
  /** Waits for a file to appear, then writes: the test decides how long a stage takes. */
  async wait(context) {
    context.onProgress({ done: 0, total: 1, unit: 'files', message: `pid ${process.pid}` })
    while (!(await readFile(context.params.file).catch(() => null))) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return actions.write(context)
  },
  async pause(context) {
    await new Promise((resolve) => setTimeout(resolve, context.params.ms))
    return actions.write(context)
  },
  async crash() {
    process.kill(process.pid, 'SIGSEGV')
    await new Promise(() => {})
  },
  async exit(context) {
    process.exit(context.params.code)
  },
  /** Crashes as long as fewer than `times` marks stand in the file. */
  async crashUntil(context) {
    const { file, times } = context.params
    const marks = await readFile(file, 'utf8').catch(() => '')
    if (marks.length >= times) return actions.write(context)
    await writeFile(file, `${marks}x`)
    return actions.crash()
  },
  async allocate(context) {
    const held = []
    for (;;) {
      held.push(Buffer.alloc(16 * 2 ** 20, 1))
      context.onProgress({ done: held.length, total: 1e6, unit: 'blocks' })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  },
  /** Leaves a grandchild behind and tells its pid. */
  async spawnChild(context) {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
    })
    context.onProgress({ done: 0, total: 1, unit: 'children', message: `pid ${child.pid}` })
    await new Promise(() => {})
  },
  async reject() {
    throw errors.test_model_bad('node 3 is bad', {
      details: { node: 'n\u0000ode', half: '\ud800' },
    })
  },
  async bug() {
    throw new TypeError('secret path /root/x')
  },
  async unavailable() {
    throw errors.test_unavailable('try again')
  },
  async constraint(context) {
    const result = await actions.write(context)
    return { ...result, failure: errors.test_model_bad('too inaccurate').toJSON() }
  },
  async outside(context) {
    return output('/etc/hostname', context)
  },
  async symlink(context) {
    await symlink('/etc/hostname', join(context.workDir, 'output'))
    return output(join(context.workDir, 'output'), context)
  },
  async hardlink(context) {
    await writeFile(join(context.workDir, 'original'), 'x')
    await link(join(context.workDir, 'original'), join(context.workDir, 'output'))
    return output(join(context.workDir, 'output'), context)
  },
  async parent(context) {
    await writeFile(join(context.workDir, '..', 'output'), 'x')
    return output(join(context.workDir, '..', 'output'), context)
  },
  async missing(context) {
    return output(join(context.workDir, 'output'), context)
  },
  async large(context) {
    await writeFile(join(context.workDir, 'output'), Buffer.alloc(context.params.bytes))
    return output(join(context.workDir, 'output'), context)
  },
  /** Speaks past the protocol. */
  async babble() {
    process.send({ type: 'result', outputs: 'everything', metrics: 1 })
    await new Promise(() => {})
  },
}

function output(path, { params }) {
  return {
    outputs: [{ role: (params.roles ?? ['model'])[0], path, mediaType: 'text/plain' }],
    metrics: {},
  }
}

runEngine({
  runStage: (_kind, context) => actions[context.params.action ?? 'write'](context),
  runtime: {
    name: 'none',
    version: '0',
    createSession() {
      throw errors.test_unavailable('there is no runtime in these tests')
    },
  },
})
