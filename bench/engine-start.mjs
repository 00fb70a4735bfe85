// How long an engine process takes from being started to asking for its order: the packed one that
// workers start, and beside it the same engine as the compiler leaves it, module by module.
//
//   npm run build && node bench/engine-start.mjs [runs, default 20]
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { median } from './lib/statistics.mjs'

const dist = (path) => fileURLToPath(new URL(`../services/worker/dist/${path}`, import.meta.url))
const ENGINES = {
  packed: [dist('packed/engine.js')],
  'module by module': [dist('engine/main.js')],
  'node alone': ['--eval', 'process.send({ type: "ready" }); setInterval(() => {}, 1000)'],
}

const runs = Number(process.argv[2] ?? 20)
const measured = Object.fromEntries(Object.keys(ENGINES).map((name) => [name, []]))
for (let run = 0; run <= runs; run++) {
  for (const [name, argv] of Object.entries(ENGINES)) {
    const figures = await start(argv)
    // The first run brings the files into memory.
    if (run > 0) measured[name].push(figures)
  }
}
for (const [name, all] of Object.entries(measured)) {
  const of = (key) => `${median(all.map((figures) => figures[key])).toFixed(0)} ${key}`
  console.log(`${name}: ${of('ms')}, ${of('ms of processor time')}, ${of('MB')}`)
}

/** As a worker starts one; the figures are of the moment at which it is ready. */
function start(argv) {
  const begun = performance.now()
  const child = spawn(process.execPath, ['--expose-gc', ...argv, String(process.pid)], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`it ended with ${signal ?? code}`)))
    child.once('message', () => {
      const ms = performance.now() - begun
      resolve({ ms, 'ms of processor time': cpuMs(child.pid), MB: peakMb(child.pid) })
      child.kill('SIGKILL')
    })
  })
}

function cpuMs(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const times = tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8'))
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1e6, 0)
}

function peakMb(pid) {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return (Number(line[1]) * 1024) / 1e6
}
