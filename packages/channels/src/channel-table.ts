// What channels do at each operator. An operator that is not in the table keeps all that it reads:
// nothing of it can be taken away, and none of it scaled.
import type { OpTable } from '@pare/ops'

import { concat } from './carries/concat.js'
import { broadcast, elementwise, shapeOnly } from './carries/elementwise.js'
import { layer } from './carries/layer.js'
import { flatten, pad, reduce, reshape, resize, squeeze, transpose } from './carries/moves.js'
import { carriesNorm, lastAxis, secondAxis } from './carries/norm.js'
import { window, windowWithoutIndices } from './carries/pool.js'
import type { ChannelRow, ChannelRule } from './channel-rule.js'
import { add, divide, multiply } from './scales/arithmetic.js'
import { clip } from './scales/clip.js'
import { homogeneous } from './scales/homogeneous.js'
import { layer as scalesLayer } from './scales/layer.js'
import { scalesNorm } from './scales/norm.js'

/** f(s · x) = s · f(x) for every s > 0, as well. */
const linear: ChannelRow = { carries: elementwise, scales: 'carried' }
/** Computes another function: channels pass, factors do not. */
const activation: ChannelRow = { carries: elementwise }
const combination: ChannelRow = { carries: broadcast }
const sum: ChannelRow = { carries: broadcast, scales: add }
const weights: ChannelRow = { carries: layer, scales: scalesLayer }
const lastNorm: ChannelRow = { carries: carriesNorm(lastAxis), scales: scalesNorm(lastAxis) }
const secondNorm: ChannelRow = { carries: carriesNorm(secondAxis), scales: scalesNorm(secondAxis) }
const pool: ChannelRow = { carries: window, scales: 'carried' }

function moves(carries: ChannelRule): ChannelRow {
  return { carries, scales: 'carried' }
}

export const CHANNEL_TABLE: OpTable<ChannelRow> = {
  Abs: activation,
  Add: sum,
  AveragePool: pool,
  BatchNormalization: secondNorm,
  Clip: { carries: elementwise, scales: clip },
  Concat: moves(concat),
  Conv: weights,
  ConvTranspose: weights,
  Div: { carries: broadcast, scales: divide },
  Elu: activation,
  Erf: activation,
  Exp: activation,
  Flatten: moves(flatten),
  Gelu: activation,
  Gemm: weights,
  GlobalAveragePool: pool,
  GlobalMaxPool: pool,
  HardSigmoid: activation,
  HardSwish: activation,
  Identity: linear,
  InstanceNormalization: secondNorm,
  LayerNormalization: lastNorm,
  LeakyRelu: linear,
  MatMul: weights,
  Max: combination,
  MaxPool: { carries: windowWithoutIndices, scales: window },
  Min: combination,
  Mish: activation,
  Mul: { carries: broadcast, scales: multiply },
  Neg: linear,
  PRelu: { carries: broadcast, scales: homogeneous },
  Pad: moves(pad),
  Pow: combination,
  RMSNormalization: lastNorm,
  ReduceMax: moves(reduce),
  ReduceMean: moves(reduce),
  ReduceSum: moves(reduce),
  Relu: linear,
  Reshape: moves(reshape),
  Resize: moves(resize),
  Selu: activation,
  Shape: moves(shapeOnly),
  Sigmoid: activation,
  SimplifiedLayerNormalization: lastNorm,
  Size: moves(shapeOnly),
  Softplus: activation,
  Softsign: activation,
  Sqrt: activation,
  Squeeze: moves(squeeze),
  Sub: sum,
  Sum: combination,
  Swish: activation,
  Tanh: activation,
  Transpose: moves(transpose),
}
