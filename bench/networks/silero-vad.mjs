// Voice activity of Silero: convolutions over a spectrum, then an LSTM, inside If branches that ask for
// the sample rate. Its state has the batch in the middle and its rate is a single number, so each
// sample of the data is a whole input.
import { join } from 'node:path'

import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { rowOf } from '../lib/judge.mjs'
import { fetchPackage } from '../lib/packages.mjs'
import { writeSamples } from '../lib/samples.mjs'
import { addRoom, RATE, say, SENTENCES } from '../lib/speech.mjs'
import { scoreClass } from './fashion.mjs'

const PACKAGE = '@ricky0123/vad-web@0.0.31'
/** A frame, and what of the frame before it goes with it. */
const [FRAME, CONTEXT] = [512, 64]
const STATE = [2, 1, 128]
/** Mean square of a frame of clean speech, above which somebody speaks. */
const AUDIBLE = 1e-4

export const sileroVad = {
  name: 'silero-vad',
  kind: 'voice activity, convolutions and LSTM in If branches',
  metric: 'frames judged right',

  async make({ folder, quick }) {
    const model = join(fetchPackage(PACKAGE), 'dist', 'silero_vad_v5.onnx')
    const session = await onnxRuntime().createSession({ path: model }, { intraOpThreads: 1 })
    const streams = { calibration: frames(session), validation: frames(session) }
    const samples = await writeSamples({
      folder,
      shapes: { input: [1, CONTEXT + FRAME], state: STATE },
      counts: quick
        ? { calibration: 100, validation: 300 }
        : { calibration: 200, validation: 1500 },
      sample: (random, part) => streams[part](random),
      constants: (count) => ({ sr: rates(count) }),
    })
    await session.release()
    return { model, ...samples, fixedBatch: 1, whole: true }
  },

  decide: (outputs, row) => (rowOf(outputs.output, row)[0] > 0.5 ? 1 : 0),
  score: scoreClass,
}

/** Scalars and batches of one frame, as the model takes them. */
const rate = () => ({ dataType: 'int64', dims: [], data: BigInt64Array.of(BigInt(RATE)) })
const floats = (data, dims) => ({ dataType: 'float32', dims, data })

function rates(count) {
  return { dataType: 'int64', dims: [count], data: new BigInt64Array(count).fill(BigInt(RATE)) }
}

/** One frame after the other of sentences with pauses in a noisy room, with the states in between. */
function frames(session) {
  let queue = []
  return async (random) => {
    if (queue.length === 0) queue = await recording(session, random)
    return queue.shift()
  }
}

async function recording(session, random) {
  const speech = say(SENTENCES[Math.floor(random() * SENTENCES.length)], random)
  const pause = () => new Float32Array(Math.floor(RATE * (0.3 + 0.7 * random())))
  const clean = joined([pause(), speech, pause()])
  const heard = addRoom(
    clean.map((value) => value * (0.3 + 0.7 * random())),
    0.05 * random() ** 2,
    random,
  )
  const found = []
  let state = new Float32Array(STATE[0] * STATE[2])
  for (let at = CONTEXT; at + FRAME <= clean.length; at += FRAME) {
    const input = heard.slice(at - CONTEXT, at + FRAME)
    const power =
      clean.subarray(at, at + FRAME).reduce((sum, value) => sum + value * value, 0) / FRAME
    found.push({ inputs: { input, state }, label: power > AUDIBLE ? 1 : 0 })
    const outputs = await session.run({
      input: floats(input, [1, input.length]),
      state: floats(state, STATE),
      sr: rate(),
    })
    state = outputs.stateN.data
  }
  return found
}

function joined(parts) {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
