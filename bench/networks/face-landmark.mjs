// 68 points of a face: a MobileNet with residual connections.
import { faceModel, openDetector, someFace } from '../lib/faces.mjs'
import { rowOf } from '../lib/judge.mjs'
import { pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'

const SIZE = 64

export const faceLandmark = {
  name: 'face-landmark',
  kind: 'MobileNet regression, depthwise',
  metric: '100 less the distance to the float model’s points in % of the face',

  async make({ folder, quick }) {
    const session = await openDetector()
    const samples = await writeSamples({
      folder,
      shapes: { input: [1, SIZE, SIZE] },
      counts: quick ? { calibration: 50, validation: 100 } : { calibration: 120, validation: 400 },
      sample: async (random, part) => {
        const face = await someFace(session, { random, part, size: SIZE })
        return { inputs: { input: pixelsOf(face, { channels: 1, mean: 0, scale: 256 }) } }
      },
    })
    await session.release()
    return { model: faceModel('fr_landmark.onnx'), ...samples, fixedBatch: 1 }
  },

  decide: (outputs, row) => Float32Array.from(rowOf(Object.values(outputs)[0], row)),

  score(points, { reference }) {
    let sum = 0
    for (let i = 0; i < points.length; i += 2) {
      sum += Math.hypot(points[i] - reference[i], points[i + 1] - reference[i + 1])
    }
    return 1 - sum / (points.length / 2)
  },
}
