// Speech embedding of openWakeWord: a deep CNN over mel spectra with LeakyReLU and Max.
import { cosine, rowOf } from '../lib/judge.mjs'
import { writeSamples } from '../lib/samples.mjs'
import {
  heard,
  openModel,
  someSentence,
  spectra,
  wakeWordModel,
  WINDOW,
} from '../lib/wake-word.mjs'

export const speechEmbedding = {
  name: 'speech-embedding',
  kind: 'audio CNN',
  metric: 'cosine to the float model’s embedding',

  async make({ folder, quick }) {
    const mel = await openModel('melspectrogram.onnx')
    const queues = { calibration: [], validation: [] }
    const samples = await writeSamples({
      folder,
      shapes: { input_1: [...WINDOW, 1] },
      counts: quick ? { calibration: 50, validation: 100 } : { calibration: 120, validation: 300 },
      sample: async (random, part) => {
        if (queues[part].length === 0) {
          queues[part] = await spectra(mel, heard(someSentence(random), random))
        }
        return { inputs: { input_1: queues[part].shift() } }
      },
    })
    await mel.release()
    return { model: wakeWordModel('embedding_model.onnx'), ...samples }
  },

  decide: (outputs, row) => Float32Array.from(rowOf(Object.values(outputs)[0], row)),
  score: (vector, { reference }) => cosine(vector, reference),
}
