// The networks of bench/networks.mjs, in the order of its tables.
import { faceDetect } from './face-detect.mjs'
import { faceEmbedding } from './face-embedding.mjs'
import { faceLandmark } from './face-landmark.mjs'
import { fashion } from './fashion.mjs'
import { mobilenet } from './mobilenet.mjs'
import { ppocrCls } from './ppocr-cls.mjs'
import { ppocrDet } from './ppocr-det.mjs'
import { ppocrRec } from './ppocr-rec.mjs'
import { sileroVad } from './silero-vad.mjs'
import { speechEmbedding } from './speech-embedding.mjs'
import { symbols } from './symbols.mjs'
import { wakeWord } from './wake-word.mjs'

export const NETWORKS = [
  ...fashion,
  mobilenet,
  ppocrDet,
  ppocrRec,
  ppocrCls,
  sileroVad,
  speechEmbedding,
  wakeWord,
  faceDetect,
  faceLandmark,
  faceEmbedding,
  symbols,
]
