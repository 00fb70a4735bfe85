// Operators of onnxruntime's domain com.microsoft that a model may bring or a step may create, in
// alphabetical order. Models made by onnxruntime's own optimizer or quantizer contain them.
import { conv, qLinearConv } from './convolution.js'
import { activation, arithmetic, softmax } from './elementwise.js'
import { concat, where } from './layout.js'
import { gemm, matMul, matMulInteger, matMulNBits, qLinearMatMul } from './matmul.js'
import { normalization } from './normalization.js'
import type { OpFacts } from './op-facts.js'
import { other } from './other.js'
import { pool } from './pool.js'
import { quantization } from './quantize-linear.js'
import { recurrent } from './recurrent.js'

export const microsoftOpTable = {
  Attention: other(1),
  BiasAdd: arithmetic(1),
  BiasGelu: activation(1),
  BiasSplitGelu: activation(1),
  DequantizeLinear: quantization(1),
  DynamicQuantizeLSTM: withoutIntegerKernel(recurrent),
  DynamicQuantizeMatMul: withoutIntegerKernel(matMulInteger),
  EmbedLayerNormalization: normalization(1),
  FastGelu: activation(1),
  FusedConv: withoutIntegerKernel(conv),
  FusedGemm: withoutIntegerKernel(gemm),
  FusedMatMul: withoutIntegerKernel(matMul),
  GatherBlockQuantized: other(1),
  Gelu: activation(1),
  GroupQueryAttention: other(1),
  MatMulIntegerToFloat: withoutIntegerKernel(matMulInteger),
  MatMulNBits: matMulNBits,
  MultiHeadAttention: other(1),
  QAttention: other(1),
  QGemm: withoutIntegerKernel({ ...gemm, weightInput: 3, biasInput: 6, dataInputs: [0] }),
  QLinearAdd: arithmetic(1),
  QLinearAveragePool: pool(1),
  QLinearConcat: withoutIntegerKernel(concat),
  QLinearConv: qLinearConv,
  QLinearGlobalAveragePool: pool(1),
  QLinearLeakyRelu: activation(1),
  QLinearMatMul: qLinearMatMul,
  QLinearMul: arithmetic(1),
  QLinearSigmoid: activation(1),
  QLinearSoftmax: withoutIntegerKernel(softmax),
  QLinearWhere: withoutIntegerKernel(where),
  QuantizeLinear: quantization(1),
  QuickGelu: activation(1),
  RotaryEmbedding: other(1),
  SimplifiedLayerNormalization: normalization(1),
  SkipLayerNormalization: normalization(1),
  SkipSimplifiedLayerNormalization: normalization(1),
} satisfies Record<string, OpFacts>

/** The row of an ONNX op, for one that is already in the form its kernel takes. */
function withoutIntegerKernel(facts: OpFacts): OpFacts {
  const row: { -readonly [Key in keyof OpFacts]: OpFacts[Key] } = { ...facts }
  delete row.integerKernel
  return row
}
