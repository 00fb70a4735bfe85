import { attr } from '@pare/graph'

import type { microsoftOpTable } from '../../microsoft-op-table.js'
import type { OpCaseSpec } from '../op-case.js'
import { bools, constant, counts, fed, float, ints, positiveW, w, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const bytes = counts('uint8', [1, 2, 4, 4], 250)
const zero = constant('uint8', [], [128])
/** A quantized value: bytes, scale, zero point. */
const quantized = [bytes, float(0.1), zero]
const written = [float(0.2), zero]
const weight = constant('int8', [4, 2], [3, -2, 5, 7, -1, 0, 4, -6])
const codes = counts('uint8', [3, 4], 13)
const heads = { num_heads: 2 }
const plain: readonly OpCaseSpec[] = [{ inputs: [image] }]
const unary: readonly OpCaseSpec[] = [{ inputs: [...quantized, ...written], outputs: ['uint8'] }]
const binary: readonly OpCaseSpec[] = [
  {
    inputs: [...quantized, counts('uint8', [1, 2, 4, 4], 99), float(0.3), zero, ...written],
    outputs: ['uint8'],
  },
]

export const microsoftCases = {
  Attention: [{ inputs: [x(2, 5, 8), w(8, 24), w(24)], attributes: heads }],
  BiasAdd: [{ inputs: [x(1, 4, 8), w(8), x(1, 4, 8)], hasNoKernel: true }],
  BiasGelu: [{ inputs: [x(2, 8), w(8)] }],
  BiasSplitGelu: [{ inputs: [x(1, 4, 16), w(16)], hasNoKernel: true }],
  DequantizeLinear: [{ inputs: quantized }],
  DynamicQuantizeLSTM: [
    {
      inputs: [
        x(5, 1, 4),
        ...[
          constant(
            'int8',
            [1, 4, 8],
            Array.from({ length: 32 }, (_, i) => (i % 7) - 3),
          ),
        ],
        ...[
          constant(
            'int8',
            [1, 2, 8],
            Array.from({ length: 16 }, (_, i) => (i % 5) - 2),
          ),
        ],
        ...[w(1, 16), null, null, null, null],
        ...[positiveW(1), constant('int8', [1], [0]), positiveW(1), constant('int8', [1], [0])],
      ],
      attributes: { hidden_size: 2 },
      outputs: ['float32', 'float32', 'float32'],
    },
  ],
  DynamicQuantizeMatMul: [
    { inputs: [x(3, 4), weight, positiveW(1), constant('int8', [1], [0]), w(2)] },
  ],
  EmbedLayerNormalization: [
    {
      inputs: [
        ...[counts('int32', [2, 3], 5), counts('int32', [2, 3], 2)],
        ...[w(6, 8), w(4, 8), w(2, 8), w(8), w(8)],
      ],
      outputs: ['float32', 'int32'],
    },
  ],
  FastGelu: plain,
  FusedConv: [{ inputs: [image, w(4, 4, 1, 1)], attributes: { activation: 'Relu' } }],
  FusedGemm: [{ inputs: [x(3, 4), w(4, 5), w(5)], attributes: { activation: 'Relu' } }],
  FusedMatMul: [{ inputs: [x(3, 4), w(5, 4)], attributes: { transB: 1, alpha: attr.float(0.5) } }],
  GatherBlockQuantized: [
    {
      opset: 21,
      inputs: [
        constant(
          'uint4',
          [4, 32],
          Array.from({ length: 128 }, (_, i) => i % 16),
        ),
        fed('int64', [2], [3, 1]),
        positiveW(4, 2),
      ],
      attributes: { block_size: 16, quantize_axis: 1, gather_axis: 0 },
    },
  ],
  Gelu: plain,
  GroupQueryAttention: [
    {
      inputs: [
        ...[x(1, 3, 16), x(1, 3, 8), x(1, 3, 8)],
        ...[x(1, 1, 0, 8), x(1, 1, 0, 8)],
        ...[constant('int32', [1], [2]), constant('int32', [], [3])],
      ],
      attributes: { num_heads: 2, kv_num_heads: 1 },
      outputs: ['float32', 'float32', 'float32'],
    },
  ],
  MatMulIntegerToFloat: [
    { inputs: [codes, weight, float(0.1), float(0.2), constant('uint8', [], [5])] },
  ],
  MatMulNBits: [
    {
      inputs: [
        x(3, 16),
        constant(
          'uint8',
          [4, 1, 8],
          Array.from({ length: 32 }, (_, i) => (i * 37) % 256),
        ),
        positiveW(4),
      ],
      attributes: { K: 16, N: 4, bits: 4, block_size: 16 },
    },
  ],
  MultiHeadAttention: [{ inputs: [x(2, 3, 8), x(2, 5, 8), x(2, 5, 8)], attributes: heads }],
  QAttention: [
    {
      inputs: [
        ...[
          counts('uint8', [2, 5, 8], 13),
          constant(
            'int8',
            [8, 24],
            Array.from({ length: 192 }, (_, i) => (i % 9) - 4),
          ),
        ],
        ...[w(24), float(0.1), float(0.1), null],
        ...[constant('uint8', [], [5]), constant('int8', [], [0])],
      ],
      attributes: heads,
    },
  ],
  QGemm: [
    {
      inputs: [
        ...[codes, float(0.1), constant('uint8', [], [5])],
        ...[weight, float(0.2), constant('int8', [], [0])],
        ...[constant('int32', [2], [4, -9]), float(0.3), zero],
      ],
      outputs: ['uint8'],
    },
  ],
  QLinearAdd: binary,
  QLinearAveragePool: [
    {
      inputs: [...quantized, ...written],
      attributes: { kernel_shape: [2, 2] },
      outputs: ['uint8'],
    },
  ],
  QLinearConcat: [
    {
      inputs: [...written, ...quantized, ...quantized],
      attributes: { axis: 1 },
      outputs: ['uint8'],
    },
  ],
  QLinearConv: [
    {
      inputs: [
        ...[counts('uint8', [1, 4, 4, 2], 250), float(0.1), zero],
        ...[
          constant('int8', [2, 2, 1, 1], [3, -2, 5, 7]),
          positiveW(2),
          constant('int8', [2], [0, 0]),
        ],
        ...written,
      ],
      attributes: { channels_last: 1 },
      outputs: ['uint8'],
    },
  ],
  QLinearGlobalAveragePool: unary,
  QLinearLeakyRelu: unary,
  QLinearMul: binary,
  QLinearSigmoid: unary,
  QLinearSoftmax: [
    {
      inputs: [...quantized, ...written],
      attributes: { axis: -1, opset: 17 },
      outputs: ['uint8'],
    },
  ],
  QLinearWhere: [
    {
      inputs: [bools(1, 2, 4, 4), ...quantized, bytes, float(0.3), zero, ...written],
      outputs: ['uint8'],
    },
  ],
  QuantizeLinear: [{ inputs: [image, float(0.05), zero], outputs: ['uint8'] }],
  QuickGelu: plain,
  RotaryEmbedding: [
    { inputs: [x(1, 3, 8), ints(0), w(8, 2), w(8, 2)], attributes: { num_heads: 2 } },
  ],
  SkipLayerNormalization: [{ inputs: [x(2, 3, 8), x(2, 3, 8), w(8), w(8), w(8)] }],
  SkipSimplifiedLayerNormalization: [{ inputs: [x(2, 3, 8), x(2, 3, 8), w(8)] }],
} satisfies Readonly<Record<keyof typeof microsoftOpTable, readonly OpCaseSpec[]>>
