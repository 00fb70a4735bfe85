// Drawn symbols of the Typst typesetter: a MobileNetV4-like network of 411 classes, exported with a
// Loop and a Sequence around a resize.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { fetchPackage } from '../lib/packages.mjs'
import { pictures, pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'
import { thinned } from '../lib/thinning.mjs'
import { decideClass, scoreClass } from './fashion.mjs'

const PACKAGE = 'detypify-service@0.3.0'
const SIZE = 224
/** Width of the lines that the package draws. */
const PEN = 8
/** No font has it, so it is drawn as what stands for a missing character. */
const MISSING = '\u{FFFFF}'

export const symbols = {
  name: 'symbols',
  kind: 'MobileNetV4-like classifier of 411 symbols',
  metric: 'top1',

  async make({ folder, quick }) {
    const train = join(fetchPackage(PACKAGE), 'train')
    const known = JSON.parse(readFileSync(join(train, 'infer.json'), 'utf8'))
    const font = 'DejaVuSans-ExtraLight'
    const drawable = known.flatMap(({ char }, label) =>
      isDrawn(char, font) ? [{ char, label }] : [],
    )
    const samples = await writeSamples({
      folder,
      shapes: { x: [1, SIZE, SIZE] },
      counts: quick ? { calibration: 40, validation: 80 } : { calibration: 48, validation: 250 },
      sample: (random) => {
        const { char, label } = drawable[Math.floor(random() * drawable.length)]
        const canvas = penned(drawSymbol(char, font, random))
        return { inputs: { x: pixelsOf(canvas, { channels: 1, mean: 0, scale: 255 }) }, label }
      },
    })
    return { model: join(train, 'model.onnx'), ...samples, fixedBatch: 1 }
  },

  decide: decideClass,
  score: scoreClass,
}

function isDrawn(char, font) {
  const straight = () => 0.5
  const pixels = (text) => pixelsOf(drawSymbol(text, font, straight), { channels: 1 })
  const [symbol, missing] = [pixels(char), pixels(MISSING)]
  return symbol.some((value, i) => value !== missing[i])
}

/** The character white on black, as large as fits, leaning and stretched. */
function drawSymbol(char, font, random) {
  const { createCanvas } = pictures()
  const canvas = createCanvas(SIZE, SIZE)
  const context = canvas.getContext('2d')
  context.fillStyle = 'black'
  context.fillRect(0, 0, SIZE, SIZE)
  context.font = `100px "${font}"`
  const box = context.measureText(char)
  const width = box.actualBoundingBoxLeft + box.actualBoundingBoxRight
  const height = box.actualBoundingBoxAscent + box.actualBoundingBoxDescent
  const scale = (SIZE - 24) / Math.max(width, height, 1)
  const vary = (amount) => (random() - 0.5) * amount
  context.translate(SIZE / 2, SIZE / 2)
  context.transform(1 + vary(0.15), vary(0.2), vary(0.3), 1 + vary(0.15), 0, 0)
  context.scale(scale, scale)
  context.fillStyle = 'white'
  context.fillText(
    char,
    (box.actualBoundingBoxLeft - box.actualBoundingBoxRight) / 2,
    (box.actualBoundingBoxAscent - box.actualBoundingBoxDescent) / 2,
  )
  return canvas
}

/** The same in lines of one strength, as from a pen: thinned to its middle and drawn again. */
function penned(canvas) {
  const white = Uint8Array.from(pixelsOf(canvas, { channels: 1, mean: 0, scale: 255 }), (value) =>
    value > 0.5 ? 1 : 0,
  )
  const middle = thinned(white, SIZE)
  const context = canvas.getContext('2d')
  context.resetTransform()
  context.fillStyle = 'black'
  context.fillRect(0, 0, SIZE, SIZE)
  context.fillStyle = 'white'
  middle.forEach((set, i) => {
    if (set === 0) return
    context.beginPath()
    context.arc(i % SIZE, Math.floor(i / SIZE), PEN / 2, 0, 7)
    context.fill()
  })
  return canvas
}
