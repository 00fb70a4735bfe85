// Face recognition: MobileFaceNet, depthwise convolutions with PRelu, 512 numbers for a face.
import { faceModel, openDetector, someFace } from '../lib/faces.mjs'
import { cosine, rowOf } from '../lib/judge.mjs'
import { pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'

const SIZE = 112

export const faceEmbedding = {
  name: 'face-embedding',
  kind: 'MobileFaceNet, depthwise with PRelu',
  metric: 'cosine to the float model’s embedding',

  async make({ folder, quick }) {
    const session = await openDetector()
    const samples = await writeSamples({
      folder,
      shapes: { input: [3, SIZE, SIZE] },
      counts: quick ? { calibration: 30, validation: 50 } : { calibration: 48, validation: 100 },
      sample: async (random, part) => {
        const face = await someFace(session, { random, part, size: SIZE })
        return { inputs: { input: pixelsOf(face, { mean: 127, scale: 128 }) } }
      },
    })
    await session.release()
    return { model: faceModel('fr_feature.onnx'), ...samples, fixedBatch: 1 }
  },

  decide: (outputs, row) => Float32Array.from(rowOf(Object.values(outputs)[0], row)),
  score: (vector, { reference }) => cosine(vector, reference),
}
