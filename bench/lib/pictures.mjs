// Draws and reads pictures with a canvas that runs without a browser, and hands them to networks.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { fetchPackage, requireOf } from './packages.mjs'

const CANVAS = '@napi-rs/canvas'
const CANVAS_VERSION = '1.1.1'
const FONTS = 'dejavu-fonts-ttf@2.37.3'

let loaded

/** The canvas library with the fonts registered, and the names of the fonts. */
export function pictures() {
  loaded ??= load()
  return loaded
}

function load() {
  const canvas = requireOf(`${CANVAS}@${CANVAS_VERSION}`)(CANVAS)
  const folder = join(fetchPackage(FONTS), 'ttf')
  const files = readdirSync(folder).filter((file) => !file.includes('Math'))
  const fonts = files.sort().map((file) => file.replace('.ttf', ''))
  for (const font of fonts) canvas.GlobalFonts.registerFromPath(join(folder, `${font}.ttf`), font)
  return { ...canvas, fonts }
}

/**
 * The pixels of a canvas as a network takes them, [channels, height, width]: each value of 0…255
 * less `mean`, divided by `scale`. One channel is the luminance.
 */
export function pixelsOf(
  canvas,
  { channels = 3, mean = 127.5, scale = 127.5, order = 'rgb' } = {},
) {
  const { width, height } = canvas
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
  const area = width * height
  const floats = new Float32Array(channels * area)
  for (let i = 0; i < area; i++) {
    const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]]
    if (channels === 1) {
      floats[i] = (0.299 * r + 0.587 * g + 0.114 * b - mean) / scale
      continue
    }
    const values = order === 'rgb' ? [r, g, b] : [b, g, r]
    for (let c = 0; c < 3; c++) floats[c * area + i] = (values[c] - mean) / scale
  }
  return floats
}

/** Gaussian-like noise of the given amplitude (0…255) on every pixel. */
export function addNoise(canvas, amplitude, random) {
  const context = canvas.getContext('2d')
  const image = context.getImageData(0, 0, canvas.width, canvas.height)
  for (let i = 0; i < image.data.length; i++) {
    if (i % 4 !== 3) image.data[i] += amplitude * (random() + random() + random() - 1.5)
  }
  context.putImageData(image, 0, 0)
}
