// "Hey Jarvis" of openWakeWord: fully connected layers with LayerNormalization over 16 embeddings; the
// batch is fixed to one.
import { rowOf } from '../lib/judge.mjs'
import { writeSamples } from '../lib/samples.mjs'
import {
  embeddings,
  heard,
  openModel,
  someSentence,
  spectra,
  wakeWordModel,
} from '../lib/wake-word.mjs'
import { scoreClass } from './fashion.mjs'

const LENGTH = 16

export const wakeWord = {
  name: 'wake-word',
  kind: 'fully connected with LayerNormalization',
  metric: 'utterances judged right',

  async make({ folder, quick }) {
    const mel = await openModel('melspectrogram.onnx')
    const embedding = await openModel('embedding_model.onnx')
    const samples = await writeSamples({
      folder,
      shapes: { 'x.1': [LENGTH, 96] },
      counts: quick ? { calibration: 40, validation: 80 } : { calibration: 100, validation: 300 },
      sample: async (random) => {
        const label = random() < 0.5 ? 1 : 0
        const text = label === 1 ? 'hey jarvis' : someSentence(random)
        const windows = await spectra(mel, heard(text, random, 2.5))
        const vectors = await embeddings(embedding, windows.slice(-LENGTH))
        const inputs = { 'x.1': Float32Array.from(vectors.flatMap((vector) => [...vector])) }
        return { inputs, label }
      },
    })
    await mel.release()
    await embedding.release()
    return { model: wakeWordModel('hey_jarvis_v0.1.onnx'), ...samples, fixedBatch: 1 }
  },

  decide: (outputs, row) => (rowOf(Object.values(outputs)[0], row)[0] > 0.5 ? 1 : 0),
  score: scoreClass,
}
