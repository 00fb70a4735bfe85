// Operators of onnxruntime's domain com.microsoft that a model may bring or a step may create, in
// alphabetical order. Models made by onnxruntime's own optimizer or quantizer contain them.
import { conv, qLinearConv } from './convolution.js'
import { activation, arithmetic, integerActivation } from './elementwise.js'
import { concat, where } from './layout.js'
import { gemm, matMul, matMulInteger, matMulNBits } from './matmul.js'
import { normalization } from './normalization.js'
import type { OpFacts } from './op-facts.js'
import type { MicrosoftOpTable } from './op-types/op-tables.js'
import { other } from './other.js'
import { pool } from './pool.js'
import { quantization } from './quantize-linear.js'
import { recurrent } from './recurrent.js'

export const microsoftOpTable = {
  Attention: other,
  BiasAdd: arithmetic,
  BiasGelu: activation,
  BiasSplitGelu: activation,
  DequantizeLinear: quantization,
  DynamicQuantizeLSTM: withoutIntegerKernel(recurrent),
  DynamicQuantizeMatMul: withoutIntegerKernel(matMulInteger),
  EmbedLayerNormalization: normalization,
  FastGelu: activation,
  FusedConv: withoutIntegerKernel(conv),
  FusedGemm: withoutIntegerKernel(gemm),
  FusedMatMul: withoutIntegerKernel(matMul),
  GatherBlockQuantized: other,
  Gelu: activation,
  GroupQueryAttention: other,
  MatMulIntegerToFloat: withoutIntegerKernel(matMulInteger),
  MatMulNBits: matMulNBits,
  MultiHeadAttention: other,
  QAttention: other,
  QGemm: withoutIntegerKernel({ ...gemm, weightInput: 3, biasInput: 6, dataInputs: [0] }),
  QLinearAdd: arithmetic,
  QLinearAveragePool: pool,
  QLinearConcat: withoutIntegerKernel(concat),
  QLinearConv: qLinearConv,
  QLinearGlobalAveragePool: pool,
  QLinearLeakyRelu: activation,
  QLinearMul: arithmetic,
  QLinearSigmoid: activation,
  QLinearSoftmax: withoutIntegerKernel(integerActivation),
  QLinearWhere: withoutIntegerKernel(where),
  QuantizeLinear: quantization,
  QuickGelu: activation,
  RotaryEmbedding: other,
  SkipLayerNormalization: normalization,
  SkipSimplifiedLayerNormalization: normalization,
} as const satisfies MicrosoftOpTable<OpFacts>

/** The row of an ONNX op, for one that is already in the form its kernel takes. */
function withoutIntegerKernel(facts: OpFacts): OpFacts {
  const row: { -readonly [Key in keyof OpFacts]: OpFacts[Key] } = { ...facts }
  delete row.integerKernel
  return row
}
