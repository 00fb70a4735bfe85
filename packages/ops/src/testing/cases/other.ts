import { attr } from '@pare/graph'
import { dataTypeNumber } from '@pare/tensor'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, counts, floats, int, ints, strings, w, x } from '../samples.js'

const image = x(2, 3, 4, 4)
const grid = constant('float32', [2, 1, 2, 2], [-0.9, 0.3, 0.1, 0.7, 0, 0, 0.2, -0.4])

export const otherCases = {
  AffineGrid: [{ opset: 20, inputs: [x(2, 2, 3), ints(2, 3, 4, 4)] }],
  Attention: [{ opset: 23, inputs: [x(2, 2, 3, 4), x(2, 2, 5, 4), x(2, 2, 5, 4)] }],
  BitCast: [
    {
      opset: 26,
      inputs: [x(2, 3)],
      attributes: { to: dataTypeNumber('int32') },
      outputs: ['int32'],
    },
  ],
  Cast: [
    { inputs: [x(2, 3)], attributes: { to: dataTypeNumber('int64') }, outputs: ['int64'] },
    { title: 'to the same type', inputs: [x(2, 3)], attributes: { to: dataTypeNumber('float32') } },
    {
      title: 'from integers',
      inputs: [counts('int64', [2, 3], 7)],
      attributes: { to: dataTypeNumber('float32') },
    },
  ],
  CastLike: [{ inputs: [x(2, 3), int(1)], outputs: ['int64'] }],
  DFT: [
    { opset: 20, inputs: [x(1, 8, 1), null, int(1)] },
    { title: 'its axis as an attribute', inputs: [x(1, 8, 1)], attributes: { axis: 1 } },
  ],
  Det: [{ inputs: [x(2, 3, 3)] }],
  Dropout: [
    { inputs: [image] },
    {
      title: 'a mask that nobody reads',
      opset: 7,
      inputs: [image],
      attributes: { ratio: attr.float(0.3) },
      outputs: ['float32', 'unread'],
    },
    {
      title: 'its ratio as an attribute',
      opset: 10,
      inputs: [image],
      attributes: { ratio: attr.float(0.3) },
    },
  ],
  GridSample: [
    { inputs: [image, grid] },
    { title: 'linear', opset: 20, inputs: [image, grid], attributes: { mode: 'linear' } },
    {
      title: 'under its old name',
      opset: 16,
      inputs: [image, grid],
      attributes: { mode: 'bilinear' },
    },
  ],
  ImageDecoder: [
    { opset: 20, inputs: [counts('uint8', [8], 250)], outputs: ['uint8'], hasNoKernel: true },
  ],
  NegativeLogLikelihoodLoss: [{ inputs: [x(3, 4), counts('int64', [3], 4)] }],
  RegexFullMatch: [
    {
      opset: 20,
      inputs: [strings('ab', 'b')],
      attributes: { pattern: 'a.*' },
      outputs: ['bool'],
    },
  ],
  RotaryEmbedding: [{ opset: 23, inputs: [x(2, 2, 3, 4), w(2, 3, 2), w(2, 3, 2)] }],
  STFT: [{ inputs: [x(1, 16, 1), int(4), floats(1, 1, 1, 1, 1, 1, 1, 1)] }],
  SoftmaxCrossEntropyLoss: [
    { inputs: [x(3, 4), counts('int64', [3], 4)], outputs: ['float32', 'float32'] },
  ],
  StringConcat: [
    { opset: 20, inputs: [strings('a', 'b'), strings('c', 'd')], outputs: ['string'] },
  ],
  StringNormalizer: [
    {
      inputs: [strings('Ab', 'c')],
      attributes: { case_change_action: 'LOWER', locale: 'C' },
      outputs: ['string'],
    },
  ],
  StringSplit: [
    {
      opset: 20,
      inputs: [strings('a b', 'c')],
      attributes: { delimiter: ' ' },
      outputs: ['string', 'int64'],
    },
  ],
  TfIdfVectorizer: [
    {
      inputs: [counts('int64', [6], 4)],
      attributes: {
        mode: 'TF',
        min_gram_length: 1,
        max_gram_length: 1,
        max_skip_count: 0,
        ngram_counts: [0],
        ngram_indexes: [0, 1, 2],
        pool_int64s: [0, 1, 2],
      },
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
