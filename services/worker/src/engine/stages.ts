// What an engine computes with. Packed as a file of its own too, for whoever runs stages without a
// worker: the benchmarks.
export { stageFunctions } from '@pare/compression/stages'
export { onnxRuntime } from '@pare/inference/onnxruntime'
