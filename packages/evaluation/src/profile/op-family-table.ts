// What a kernel computes, whatever the numbers are written in: so that the Conv nodes of a float
// model stand beside the QLinearConv kernels of its quantized form.
import { type MicrosoftOpType, type OpType, ownRow } from '@pare/ops'

type Kernel = OpType | MicrosoftOpType

const opFamilyTable: Readonly<Partial<Record<Kernel, Kernel>>> = {
  BiasGelu: 'Gelu',
  ConvInteger: 'Conv',
  DynamicQuantizeLSTM: 'LSTM',
  DynamicQuantizeMatMul: 'MatMul',
  FastGelu: 'Gelu',
  FusedConv: 'Conv',
  FusedGemm: 'Gemm',
  FusedMatMul: 'MatMul',
  FusedMatMulActivation: 'MatMul',
  GatherBlockQuantized: 'Gather',
  MatMulBnb4: 'MatMul',
  MatMulFpQ4: 'MatMul',
  MatMulInteger: 'MatMul',
  MatMulInteger16: 'MatMul',
  MatMulIntegerToFloat: 'MatMul',
  MatMulNBits: 'MatMul',
  NhwcFusedConv: 'Conv',
  NhwcMaxPool: 'MaxPool',
  QAttention: 'Attention',
  QEmbedLayerNormalization: 'EmbedLayerNormalization',
  QGemm: 'Gemm',
  QMoE: 'MoE',
}

/** The operator that a kernel or a node stands for: `QLinearConv` is a `Conv`. */
export function opFamily(opType: string): string {
  const family = ownRow(opFamilyTable, opType)
  if (family !== undefined) return family
  return /^QLinear[A-Z]/.test(opType) ? opType.slice('QLinear'.length) : opType
}
