// The operators of the domain ai.onnx.ml: classical machine learning, no neural networks.

/** The newest version of the domain that onnxruntime 1.30 loads. */
export const NEWEST_CLASSICAL_ML_OPSET = 5

export const CLASSICAL_ML_OP_TYPES = [
  'ArrayFeatureExtractor',
  'Binarizer',
  'CastMap',
  'CategoryMapper',
  'DictVectorizer',
  'FeatureVectorizer',
  'Imputer',
  'LabelEncoder',
  'LinearClassifier',
  'LinearRegressor',
  'Normalizer',
  'OneHotEncoder',
  'SVMClassifier',
  'SVMRegressor',
  'Scaler',
  'TreeEnsemble',
  'TreeEnsembleClassifier',
  'TreeEnsembleRegressor',
  'ZipMap',
] as const
