// Face detection: an SSD on a small depthwise backbone whose boxes are decoded inside the graph.
import { DETECTOR, faceModel, facesIn, overlap, someView } from '../lib/faces.mjs'
import { pixelsOf } from '../lib/pictures.mjs'
import { writeSamples } from '../lib/samples.mjs'

/** Overlap from which two boxes are the same face. */
const SAME = 0.7

export const faceDetect = {
  name: 'face-detect',
  kind: 'SSD detector, depthwise',
  metric: 'F1 of the faces found against the float model’s',

  async make({ folder, quick }) {
    const samples = await writeSamples({
      folder,
      shapes: { input: [3, DETECTOR.height, DETECTOR.width] },
      counts: quick ? { calibration: 24, validation: 60 } : { calibration: 48, validation: 150 },
      sample: async (random, part) => ({
        inputs: { input: pixelsOf(await someView(random, part), DETECTOR) },
      }),
    })
    return { model: faceModel('fr_detect.onnx'), ...samples, fixedBatch: 1 }
  },

  decide: (outputs) => facesIn(outputs),

  score(faces, { reference }) {
    if (faces.length === 0 && reference.length === 0) return 1
    const found = reference.filter((wanted) =>
      faces.some(({ box }) => overlap(box, wanted.box) > SAME),
    )
    return (2 * found.length) / (faces.length + reference.length)
  },
}
