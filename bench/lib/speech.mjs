// Speech from a synthesiser that is a package, in several voices, at 16 kHz.
import { requireOf } from './packages.mjs'

const SYNTHESISER = 'mespeak'
const VERSION = '2.0.2'
const VARIANTS = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'f1', 'f2', 'f3', 'f4', 'f5']
/** Its memory is spoilt after some hundred sentences, so it is loaded anew in time. */
const SENTENCES_PER_LOAD = 20
export const RATE = 16_000

let synthesiser
let said = 0

function load() {
  const require = requireOf(`${SYNTHESISER}@${VERSION}`)
  for (const path of Object.keys(require.cache)) {
    if (path.includes(`/node_modules/${SYNTHESISER}/`)) delete require.cache[path]
  }
  const fresh = quietly(() => require(SYNTHESISER))
  fresh.loadConfig(require(`${SYNTHESISER}/src/mespeak_config.json`))
  fresh.loadVoice(require(`${SYNTHESISER}/voices/en/en.json`))
  return fresh
}

/** It greets on the console that it is not in a browser. */
function quietly(work) {
  const { warn } = console
  console.warn = () => undefined
  try {
    return work()
  } finally {
    console.warn = warn
  }
}

/** Says the text in a random voice: samples in −1…1. */
export function say(text, random) {
  if (said++ % SENTENCES_PER_LOAD === 0) synthesiser = load()
  const wav = synthesiser.speak(text, {
    rawdata: 'buffer',
    variant: VARIANTS[Math.floor(random() * VARIANTS.length)],
    pitch: 25 + Math.floor(50 * random()),
    speed: 120 + Math.floor(70 * random()),
  })
  return resampled(samplesOf(wav))
}

/** 16-bit mono, behind the header of 44 bytes. */
function samplesOf(wav) {
  const view = new DataView(wav.buffer ?? wav, wav.byteOffset ?? 0)
  const rate = view.getUint32(24, true)
  const count = (view.byteLength - 44) >> 1
  const values = Float32Array.from(
    { length: count },
    (_, i) => view.getInt16(44 + 2 * i, true) / 32768,
  )
  return { rate, values }
}

/** Linear between the means of neighbouring samples, which takes off what would fold back. */
function resampled({ rate, values }) {
  const step = rate / RATE
  return Float32Array.from({ length: Math.floor(values.length / step) - 2 }, (_, i) => {
    const at = Math.floor(i * step)
    const share = i * step - at
    const smooth = (j) => (values[j] + values[j + 1]) / 2
    return (1 - share) * smooth(at) + share * smooth(at + 1)
  })
}

/** Hum and hiss of the given strength, added in place. */
export function addRoom(samples, strength, random) {
  const hum = 50 + 100 * random()
  let hiss = 0
  for (let i = 0; i < samples.length; i++) {
    hiss = 0.7 * hiss + (random() - 0.5)
    samples[i] += strength * (hiss + 0.3 * Math.sin((2 * Math.PI * hum * i) / RATE))
  }
  return samples
}

export const SENTENCES = `The quick brown fox jumps over the lazy dog.
Please call me back tomorrow morning at nine.
How much does the ticket to the airport cost?
Turn off the lights in the living room.
It has been raining for three days now.
What time does the library close today?
She sold all her paintings in one afternoon.
Open the window, it is getting warm in here.
The meeting was moved to the second floor.
Could you pass me the salt and the pepper?
They walked along the river until it got dark.
Set an alarm for half past six.
Nobody expected the train to be on time.
The children built a castle out of snow.`.split('\n')
