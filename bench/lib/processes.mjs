// Fresh processes that do one piece of work and print one line of JSON about it.
import { execFile } from 'node:child_process'

/** A run that takes longer is stopped and counts as failed. */
const TIMEOUT_MS = 8 * 60_000

/**
 * Runs a program whose last line of output is JSON; `wall` is added, the seconds of the whole
 * process. A failed run gives `{ error }`, what it said on stderr.
 */
export function runJson(program, argv, env = {}) {
  const start = performance.now()
  const options = {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: TIMEOUT_MS,
    env: { ...process.env, ...env },
  }
  return new Promise((resolve) => {
    execFile(program, argv.map(String), options, (error, stdout, stderr) => {
      const wall = (performance.now() - start) / 1000
      if (error === null) resolve({ wall, ...JSON.parse(lastLine(stdout)) })
      else resolve({ wall, error: error.killed ? 'stopped: it took too long' : reasonIn(stderr) })
    })
  })
}

function lastLine(text) {
  return text.trim().split('\n').pop() ?? ''
}

/** The line that names the error: Node writes it before the stack, Python last. */
function reasonIn(stderr) {
  const lines = stderr.trim().split('\n')
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? ''
}
