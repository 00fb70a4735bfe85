// Lines of text as a camera might see them: fonts, sizes, colours, slant, blur and noise vary.
import { addNoise, pictures } from './pictures.mjs'

const WORDS =
  `time people way water day man woman world life hand part child eye place work week case
point company number group problem fact house service friend father power hour game line end member
law car city name team minute idea kid body back parent face level office door health person art war
history party result change morning reason research girl guy moment air teacher force education
Total Price Date Invoice Street North Room Open Closed Exit Sale Free Call Email Order Paris London`
    .split(/\s+/)
    .filter(Boolean)

const pick = (list, random) => list[Math.floor(random() * list.length)]

/** A word, two words, a number, a price or a code. */
export function someText(random, maxLength = 12) {
  const digits = (count) => Array.from({ length: count }, () => Math.floor(random() * 10)).join('')
  const kinds = [
    () => pick(WORDS, random),
    () => `${pick(WORDS, random)} ${pick(WORDS, random)}`,
    () => digits(3 + Math.floor(random() * 6)),
    () => `$${digits(2)}.${digits(2)}`,
    () => `${pick(WORDS, random).slice(0, 3).toUpperCase()}-${digits(4)}`,
  ]
  return pick(kinds, random)().slice(0, maxLength).trim()
}

/** Draws a line of text from the left edge of the canvas; what does not fit is made narrower. */
export function drawLine(text, { width, height, random, upsideDown = false }) {
  const { createCanvas, fonts } = pictures()
  const canvas = createCanvas(width, height)
  const context = canvas.getContext('2d')
  const { paper, ink } = colours(random)
  context.fillStyle = paper
  context.fillRect(0, 0, width, height)
  context.font = `${height * (0.5 + 0.25 * random())}px "${pick(fonts, random)}"`
  context.fillStyle = ink
  context.textBaseline = 'middle'
  context.translate(width / 2, height / 2)
  context.rotate((upsideDown ? Math.PI : 0) + (random() - 0.5) * 0.06)
  context.translate(4 - width / 2, 0)
  context.scale(Math.min(1, (width - 8) / context.measureText(text).width), 1)
  if (random() < 0.3) context.filter = `blur(${(random() * 1.2).toFixed(2)}px)`
  context.fillText(text, 0, 0)
  addNoise(canvas, 40 * random(), random)
  return canvas
}

/** Several lines at random places over a background of shapes: a scene to find text in. */
export function drawScene({ width, height, random }) {
  const { createCanvas, fonts } = pictures()
  const canvas = createCanvas(width, height)
  const context = canvas.getContext('2d')
  const { paper, ink } = colours(random)
  context.fillStyle = paper
  context.fillRect(0, 0, width, height)
  for (let shape = 0; shape < 6; shape++) {
    context.fillStyle = `hsla(${360 * random()}, 60%, 50%, ${0.3 * random()})`
    context.beginPath()
    context.ellipse(
      width * random(),
      height * random(),
      80 * random(),
      80 * random(),
      3 * random(),
      0,
      7,
    )
    context.fill()
  }
  const lines = 2 + Math.floor(random() * 5)
  for (let line = 0; line < lines; line++) {
    context.save()
    context.font = `${12 + 26 * random()}px "${pick(fonts, random)}"`
    context.fillStyle = ink
    context.translate(width * 0.5 * random(), height * ((line + 0.6) / lines))
    context.rotate((random() - 0.5) * 0.3)
    context.fillText(someText(random, 20), 0, 0)
    context.restore()
  }
  addNoise(canvas, 30 * random(), random)
  return canvas
}

/** Paper and ink of clearly different lightness, either of them the dark one. */
function colours(random) {
  const tone = (lightness) => `hsl(${360 * random()}, ${60 * random()}%, ${lightness}%)`
  const [light, dark] = [tone(75 + 25 * random()), tone(30 * random())]
  return random() < 0.7 ? { paper: light, ink: dark } : { paper: dark, ink: light }
}
