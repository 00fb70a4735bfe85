/**
 * Which operators an upload may use, per domain. An operator missing here is refused by name
 * before onnxruntime sees the file; to accept a new one, add its name.
 */

/** Operators of every opset of `ai.onnx` that onnxruntime 1.30 registers, and the one it adds. */
const ONNX_OPS = words(`
  Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool
  BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
  BlackmanWindow Cast CastLike CausalConvWithState Ceil Celu CenterCropPad Clip Col2Im Compress
  Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh
  CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div Dropout
  DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather
  GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
  GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish
  Hardmax Identity If InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less
  LessOrEqual LinearAttention Log LogSoftmax Loop LpNormalization LpPool MatMul MatMulInteger Max
  MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul
  Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional
  OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear
  RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range
  Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
  ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign
  RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceAt
  SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape
  Shrink Sigmoid Sign SimplifiedLayerNormalization Sin Sinh Size Slice Softmax
  SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze
  StringConcat StringNormalizer StringSplit Sub Sum Swish Tan Tanh TensorScatter TfIdfVectorizer
  ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor
`)

const CLASSICAL_ML_OPS = words(`
  ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer
  LabelEncoder LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier
  SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
`)

/** The part of `com.microsoft` that quantized, fused and exported models use. */
const CONTRIB_OPS = words(`
  Attention BiasAdd BiasGelu BiasSoftmax BiasSplitGelu CDist CausalConvWithState ComplexMul
  ComplexMulConj ConvTransposeWithDynamicPads DequantizeLinear DynamicQuantizeLSTM
  DynamicQuantizeMatMul EmbedLayerNormalization ExpandDims FastGelu FusedConv FusedGemm
  FusedMatMul FusedMatMulActivation GatedAdd GatedDeltaNet GatedRMSNorm GatedRelativePositionBias
  GatherBlockQuantized GatherND Gelu GemmFastGelu GemmFloat8 GemmaRotaryEmbedding GridSample
  GroupNorm GroupQueryAttention Inverse Irfft IsAllFinite LinearAttention LinearAttentionGate
  MRotaryEmbedding MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight MatMulBnb4
  MatMulFpQ4 MatMulInteger16 MatMulIntegerToFloat MatMulNBits MatMulNBitsMlp MatMulNBitsQkv MoE
  MulInteger MultiHeadAttention NhwcConv NhwcFusedConv NhwcMaxPool PackedAttention
  PackedMultiHeadAttention Pad QAttention QEmbedLayerNormalization QGemm QLinearAdd
  QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu
  QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE QuantizeLinear
  QuickGelu Range ReduceSumInteger RelativePositionBias Rfft RotaryEmbedding SkipGroupNorm
  SkipLayerNormalization SkipSimplifiedLayerNormalization SparseAttention SparseToDenseMatMul
  TransposeMatMul Trilu Unique VarlenCausalConvWithState
`)

/** Known to onnxruntime and left out: token generation loops, vendor blobs, training and text ops. */
const CONTRIB_OPS_DENIED = words(`
  AttnLSTM BeamSearch BiasDropout BifurcationDetector BitmaskBiasDropout BitmaskDropout
  CropAndResize DecoderAttention DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention
  DequantizeBFP DequantizeWithOrder DynamicTimeWarping EngramGate GreedySearch LongformerAttention
  MaxpoolWithMask MurmurHash3 NGramHashMapping NGramRepeatBlock PagedAttention QOrderedAttention
  QOrderedGelu QOrderedLayerNormalization QOrderedLongformerAttention QOrderedMatMul QuantizeBFP
  QuantizeWithOrder RemovePadding RestorePadding SampleOp Sampling Snpe Tokenizer TorchEmbedding
  UnfoldTensor WhisperBeamSearch WordConvEmbedding
`)

/** Known to ONNX and left out: ImageDecoder decodes images of unknown origin. */
const ONNX_OPS_DENIED = words('ImageDecoder')

/** Operators that run a graph given as an attribute. */
export const CONTROL_FLOW_OPS = words('If Loop Scan SequenceMap')

/** onnxruntime refuses models below opset 7 and, in version 1.30, above 27. */
export const onnxOpsetRange = { min: 7, max: 27 } as const

export interface KnownDomain {
  readonly ops: ReadonlySet<string>
  readonly denied: ReadonlySet<string>
  readonly maxVersion: number
}

/** Domains whose operators can be accepted. Others are custom unless listed as internal. */
export const KNOWN_DOMAINS: ReadonlyMap<string, KnownDomain> = new Map([
  ['', { ops: ONNX_OPS, denied: ONNX_OPS_DENIED, maxVersion: onnxOpsetRange.max }],
  ['ai.onnx.ml', { ops: CLASSICAL_ML_OPS, denied: words(''), maxVersion: 5 }],
  ['com.microsoft', { ops: CONTRIB_OPS, denied: CONTRIB_OPS_DENIED, maxVersion: 1 }],
])

/** Domains of ONNX and onnxruntime that no upload may use: layouts of one machine, training. */
export const INTERNAL_DOMAINS = words(`
  ai.onnx.preview ai.onnx.preview.training ai.onnx.training com.microsoft.dml
  com.microsoft.experimental com.microsoft.nchwc com.ms.internal.nhwc
`)

/** `ai.onnx` is another spelling of the default domain. */
export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

/** Domains in which an upload may not define functions: it could replace a known operator. */
export function isReservedDomain(domain: string): boolean {
  return KNOWN_DOMAINS.has(domain) || INTERNAL_DOMAINS.has(domain)
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''))
}
