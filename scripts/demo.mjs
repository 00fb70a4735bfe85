// npm run demo: the whole journey on this machine. Starts the embedded stack in a temporary folder,
// plays the pipeline of examples/, shows what happens, checks what comes back, and cleans up.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

import { connect, runPipeline } from '../examples/pipeline.mjs'
import { startStack } from './stack.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
// Their packages depend on these two; the demo uses them as a customer would.
const require = createRequire(new URL('../packages/inference/package.json', import.meta.url))
const ort = require('onnxruntime-node')
const { Webhook } = createRequire(new URL('../packages/webhooks/package.json', import.meta.url))(
  'standardwebhooks',
)

const started = Date.now()
const say = (text) =>
  console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`)

/** A pipeline's webhook receiver. Keeps the raw body: the signature is over its bytes. */
async function startReceiver() {
  const deliveries = []
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    deliveries.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
    response.writeHead(204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}/pare`,
    deliveries,
    stop: () => new Promise((resolve) => server.close(resolve)),
  }
}

async function waitForWebhook(receiver, secret, type) {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    for (const { headers, body } of receiver.deliveries) {
      // Throws when the signature is wrong: an unsigned message must not pass for a webhook.
      const message = new Webhook(secret).verify(body, headers)
      if (message.type === type) return { id: headers['webhook-id'], message }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no ${type} webhook arrived within 20 s`)
}

/** One line per event: what began or ended, how far it is, which results were known already. */
function showEvent({ type, data }) {
  const { stage, done, total, unit, message, fraction } = { ...data, ...data.progress }
  if (type === 'job.progress') {
    const where = [stage, message].filter(Boolean).join(', ')
    say(
      `  ${type}  ${(fraction * 100).toFixed(0).padStart(3)} %  ${where} ${done}/${total} ${unit}`,
    )
  } else {
    say(`  ${[type, stage, data.from_cache ? '(cached)' : ''].filter(Boolean).join('  ')}`)
  }
}

async function loadAndRun(bytes) {
  const session = await ort.InferenceSession.create(bytes)
  const image = new ort.Tensor('float32', new Float32Array(784), [1, 1, 28, 28])
  const { logits } = await session.run({ image })
  if (!logits.data.every(Number.isFinite)) throw new Error('the artifact gives no finite output')
  await session.release()
}

async function main() {
  const build = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root, stdio: 'inherit' })
  if (build.status !== 0) throw new Error('the build failed')
  say('built; starting PostgreSQL, API and worker')
  const stack = await startStack()
  const receiver = await startReceiver()
  try {
    say(`the stack listens on ${stack.url}`)
    const pare = connect(stack.url, stack.apiKey)
    const endpoint = await pare.post('/v1/webhook-endpoints', { url: receiver.url })
    const { job, report, artifact, bytes } = await runPipeline(pare, {
      onStep: say,
      onEvent: showEvent,
    })
    say(`${job.id} ${job.state}; the report:`)
    console.log(`\n${formatReport(report)}\n`)
    await loadAndRun(bytes)
    say(
      `downloaded ${artifact.name}, ${artifact.size_bytes} bytes, hash verified; it loads and runs`,
    )
    const webhook = await waitForWebhook(receiver, endpoint.secret, 'job.succeeded')
    say(`webhook ${webhook.id} (${webhook.message.type}) arrived, signature verified`)
  } finally {
    await receiver.stop()
    const code = await stack.stop()
    say(`the stack is stopped (exit code ${code})`)
    if (code !== 0) process.exitCode = 1
  }
}

/** Original beside result, one line per figure. */
function formatReport({ summary }) {
  const rows = summary.rows.map(({ label, original, result, change }) => [
    label,
    original,
    result,
    change,
  ])
  const table = [['', 'original', 'result', 'change'], ...rows]
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)))
  const lines = table.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join('   '))
  return [...lines, '', summary.verdict].map((line) => `         ${line}`).join('\n')
}

await main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
