// Recipes over HTTP, step by step: what each step costs in accuracy and what it saves.
//
//   node bench/recipes.mjs [--fixtures folder] [--only text] [--json file]      (after `npm run build`)
//
// Without a folder of fixtures only the network of `examples/` is taken. Every job runs through the
// whole service: uploads, queue, worker, engine processes, report.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { connect } from '../examples/pipeline.mjs'
import { startStack } from '../scripts/stack.mjs'

const { values: options } = parseArgs({
  options: {
    fixtures: { type: 'string', default: fileURLToPath(new URL('../examples', import.meta.url)) },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})

const PRUNE = { type: 'prune_weights', sparsity: 0.6 }
const REPEAT = { type: 'repeat', steps: [{ type: 'prune_weights' }] }

const CASES = [
  ['prune 0.6 → static', 'fashion-resnet', 'fashion', [PRUNE, { type: 'quantize_static' }]],
  [
    'prune 0.6 → weights',
    'fashion-resnet',
    'fashion',
    [PRUNE, { type: 'quantize_weights', bits: 8 }],
  ],
  ['prune 0.6 → float16', 'fashion-resnet', 'fashion', [PRUNE, { type: 'convert_float16' }]],
  [
    'prune 2:4 → static',
    'fashion-resnet',
    'fashion',
    [{ type: 'prune_weights', pattern: '2:4' }, { type: 'quantize_static' }],
  ],
  ['repeat, 0.005', 'fashion-resnet', 'fashion', [REPEAT], 0.005],
  [
    'repeat, 0.005 → static',
    'fashion-resnet',
    'fashion',
    [REPEAT, { type: 'quantize_static' }],
    0.005,
  ],
  ['weights, 8 bits', 'fashion-resnet', 'fashion', [{ type: 'quantize_weights', bits: 8 }]],
  ['weights, 4 bits', 'fashion-resnet', 'fashion', [{ type: 'quantize_weights', bits: 4 }]],
  ['static', 'packages-bert', 'packages', [{ type: 'quantize_static' }]],
  ['dynamic', 'packages-bert', 'packages', [{ type: 'quantize_dynamic' }]],
  ['static', 'scenes-unet', 'scenes', [{ type: 'quantize_static' }]],
  ['dynamic', 'characters-llama', 'characters', [{ type: 'quantize_dynamic' }]],
]

const stack = await startStack()
const results = []
try {
  const pare = connect(stack.url, stack.apiKey)
  const uploaded = new Map()
  const upload = async (kind, file) => {
    if (!uploaded.has(file))
      uploaded.set(file, await pare.upload(kind, join(options.fixtures, file)))
    return uploaded.get(file).id
  }
  for (const [name, network, data, steps, maxDrop] of CASES) {
    if (!`${network} ${name}`.includes(options.only)) continue
    const file = `${network}.onnx`
    if (!existsSync(join(options.fixtures, file))) continue
    const request = {
      model: await upload('models', file),
      datasets: {
        calibration: await upload('datasets', `${data}-calibration.npz`),
        validation: await upload('datasets', `${data}-validation.npz`),
      },
      recipe: { steps },
      evaluation: { each_step: true },
      ...(maxDrop === undefined ? {} : { constraints: { max_drop: maxDrop } }),
    }
    const report = await finished(pare, await pare.post('/v1/jobs', request))
    results.push({ network, name, report })
    print(network, name, report)
  }
} finally {
  await stack.stop()
}
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results))

async function finished(pare, { id }) {
  for (;;) {
    const job = await pare.json(`/v1/jobs/${id}`)
    if (job.timings.finished_at !== null) {
      if (job.state !== 'succeeded')
        throw new Error(`${id} ${job.state}: ${JSON.stringify(job.error)}`)
      return { ...(await pare.json(`/v1/jobs/${id}/report`)), seconds: job.timings.run_seconds }
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function print(network, name, { steps, evaluation, seconds }) {
  const { primary, ratios, fidelity } = evaluation
  console.log(`\n${network}, ${name}: ${seconds.toFixed(1)} s`)
  console.log(
    `  ${primary.name} ${primary.original.toFixed(4)} → ${primary.result.toFixed(4)}, size ${ratios.size.toFixed(3)}, gzip ${ratios.size_gzip.toFixed(3)}, ${ratios.speed.toFixed(2)}x, SQNR ${fidelity.sqnr_db?.toFixed(1) ?? '–'} dB`,
  )
  for (const { label, parameters, size, sparsity, primary: judged, latency, kept } of steps) {
    const cells = [
      label.padEnd(22),
      parameters.sparsity === undefined ? '' : `sparsity ${parameters.sparsity}`,
      size === null ? '' : `size ${size.ratio.toFixed(3)}, gzip ${size.gzip_ratio.toFixed(3)}`,
      sparsity === null ? '' : `zeros ${sparsity.toFixed(3)}`,
      judged === null ? '' : `drop ${judged.drop?.toFixed(4)}`,
      latency === null ? '' : `${latency.speedup.toFixed(2)}x`,
      kept ? '' : 'given up',
    ]
    console.log(`    ${cells.filter((cell) => cell !== '').join('  ')}`)
  }
}
