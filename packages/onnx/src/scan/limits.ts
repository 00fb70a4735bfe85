import { onnxOpsetRange } from './known-ops.js'

/**
 * What an upload may contain. The defaults admit every model we know, up to 16 GiB of weights (2 GiB
 * in the protobuf file, as that format ends there), and turn away what makes onnxruntime 1.30 slow before it runs anything.
 */
export interface ScanLimits {
  /** Bytes of the .onnx file. protobuf itself ends at 2 GiB. */
  readonly maxFileBytes: number
  /** Encoded fields visited: the bound on the scanner's own work. */
  readonly maxFields: number
  /** Nodes written in the file, subgraphs and function bodies included. */
  readonly maxNodes: number
  readonly maxInitializers: number
  readonly maxFunctions: number
  /** Inputs or outputs of one node or function; inputs, outputs, value infos of one graph. */
  readonly maxValuesPerNode: number
  readonly maxValuesPerGraph: number
  /** Graphs within graphs (also through functions), and types within types. */
  readonly maxDepth: number
  /** Functions calling functions. */
  readonly maxFunctionDepth: number
  /** Nodes after every function call was replaced by the body. */
  readonly maxExpandedNodes: number
  /**
   * Expanded nodes per written node, looked at once a model expands to more than
   * `expansionFloor` nodes. onnxruntime's inlining costs more than linear time in it:
   * 2 calls a level and 14 levels (32,767 nodes out of 30) take 3 s, 16 levels over 40 s.
   */
  readonly maxExpansionRatio: number
  readonly expansionFloor: number
  readonly maxNameBytes: number
  /** Documentation and metadata, each. */
  readonly maxTextBytes: number
  /** One attribute without its tensors and graphs. */
  readonly maxAttributeBytes: number
  readonly maxTensorRank: number
  /** Bytes of one tensor that a node makes out of a stated shape. */
  readonly maxClaimBytes: number
  /** Bytes of all tensors, external data included. */
  readonly maxTensorBytes: number
  /**
   * The same where tensors stand on the same bytes of a file: beyond this, all together have at most
   * twice the bytes of the upload, so that a small file cannot name a large one a thousand times.
   */
  readonly maxSharedBytes: number
  readonly minIrVersion: number
  readonly maxIrVersion: number
  readonly minOpset: number
  readonly maxOpset: number
}

const GIB = 2 ** 30

export const DEFAULT_SCAN_LIMITS: ScanLimits = {
  maxFileBytes: 2 * GIB - 1,
  maxFields: 10_000_000,
  maxNodes: 100_000,
  maxInitializers: 100_000,
  maxFunctions: 4_096,
  maxValuesPerNode: 16_384,
  maxValuesPerGraph: 500_000,
  maxDepth: 32,
  maxFunctionDepth: 64,
  maxExpandedNodes: 100_000,
  maxExpansionRatio: 100,
  expansionFloor: 5_000,
  maxNameBytes: 4_096,
  maxTextBytes: 4 * 2 ** 20,
  maxAttributeBytes: 16 * 2 ** 20,
  maxTensorRank: 16,
  maxClaimBytes: 4 * GIB,
  maxTensorBytes: 16 * GIB,
  maxSharedBytes: 2 * GIB,
  minIrVersion: 3,
  maxIrVersion: 13,
  minOpset: onnxOpsetRange.min,
  maxOpset: onnxOpsetRange.max,
}

/** What the operator of a service decides. */
export interface ScanPolicy {
  /**
   * If, Loop, Scan and SequenceMap. Allowed by default: an endless Loop is stopped by the engine's
   * time limit, which holds for every stage.
   */
  readonly controlFlow: 'allow' | 'deny'
  /** The classical-ML operators of `ai.onnx.ml`: memory faults were found there (SVM, trees). */
  readonly classicalMl: 'allow' | 'deny'
  /** The accepted subset of onnxruntime's own `com.microsoft` operators. */
  readonly contribOps: 'allow' | 'deny'
}

export const DEFAULT_SCAN_POLICY: ScanPolicy = {
  controlFlow: 'allow',
  classicalMl: 'deny',
  contribOps: 'allow',
}
