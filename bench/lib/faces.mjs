// Photographs of people that a package ships as its demonstration, and the faces in them.
import { join } from 'node:path'

import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { fetchPackage } from './packages.mjs'
import { pictures, pixelsOf } from './pictures.mjs'

const PHOTOGRAPHS = '@vladmandic/face-api@1.7.15'
const NETWORKS = 'faceplugin-face-recognition-js@0.0.1'
/** Nobody is in pictures of both parts. */
const PARTS = { calibration: [1, 3, 5], validation: [2, 4, 6] }
/** Width and height that the detector takes, and what it takes for a face. */
export const DETECTOR = { width: 320, height: 240, mean: 127, scale: 128 }
const [THRESHOLD, SAME_FACE] = [0.65, 0.4]

export const faceModel = (name) => join(fetchPackage(NETWORKS), 'model', name)

export function openDetector() {
  return onnxRuntime().createSession({ path: faceModel('fr_detect.onnx') }, { intraOpThreads: 1 })
}

const photographs = new Map()

async function photograph(number) {
  if (!photographs.has(number)) {
    const path = join(fetchPackage(PHOTOGRAPHS), 'demo', `sample${number}.jpg`)
    photographs.set(number, await pictures().loadImage(path))
  }
  return photographs.get(number)
}

/** A random section of a photograph, maybe mirrored, lighter or darker, as the detector takes it. */
export async function someView(random, part) {
  const numbers = PARTS[part]
  const image = await photograph(numbers[Math.floor(random() * numbers.length)])
  const share = 0.35 + 0.65 * random()
  const [width, height] = [image.width * share, (image.width * share * 3) / 4]
  const x = random() * (image.width - width)
  const y = random() * Math.max(0, image.height * 0.7 - height)
  const canvas = pictures().createCanvas(DETECTOR.width, DETECTOR.height)
  const context = canvas.getContext('2d')
  context.filter = `brightness(${(0.6 + 0.8 * random()).toFixed(2)})`
  if (random() < 0.5) context.setTransform(-1, 0, 0, 1, canvas.width, 0)
  context.drawImage(image, x, y, width, height, 0, 0, canvas.width, canvas.height)
  return canvas
}

/** The faces that the detector says, best first: `{ box: [left, top, right, bottom], score }` in 0…1. */
export function facesIn({ scores, boxes }) {
  const count = scores.dims[1]
  const found = Array.from({ length: count }, (_, i) => ({
    score: scores.data[2 * i + 1],
    box: Array.from(boxes.data.subarray(4 * i, 4 * i + 4)),
  }))
  const kept = []
  for (const face of found
    .filter(({ score }) => score > THRESHOLD)
    .sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => overlap(box, face.box) < SAME_FACE)) kept.push(face)
  }
  return kept
}

export function overlap(a, b) {
  const side = (low, high) => Math.max(0, Math.min(a[high], b[high]) - Math.max(a[low], b[low]))
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1])
  const both = side(0, 2) * side(1, 3)
  return both / Math.max(1e-9, area(a) + area(b) - both)
}

/** Views until one has a face; that face, cut out with some margin, drawn `size` wide and high. */
export async function someFace(session, { random, part, size }) {
  for (;;) {
    const view = await someView(random, part)
    const data = pixelsOf(view, DETECTOR)
    const dims = [1, 3, DETECTOR.height, DETECTOR.width]
    const faces = facesIn(await session.run({ input: { dataType: 'float32', dims, data } }))
    if (faces.length === 0) continue
    const [left, top, right, bottom] = faces[Math.floor(random() * faces.length)].box
    const [width, height] = [(right - left) * view.width, (bottom - top) * view.height]
    const margin = 0.05 + 0.1 * random()
    const canvas = pictures().createCanvas(size, size)
    const from = [left * view.width - margin * width, top * view.height - margin * height]
    const extent = [width * (1 + 2 * margin), height * (1 + 2 * margin)]
    canvas.getContext('2d').drawImage(view, ...from, ...extent, 0, 0, size, size)
    return canvas
  }
}
