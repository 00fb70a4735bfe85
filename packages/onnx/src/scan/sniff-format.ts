/** Tells from the first bytes what a file is, so that "not ONNX" can say what came instead. */
const SIGNATURES: readonly (readonly [offset: number, bytes: string, what: string])[] = [
  [0, 'PK\u0003\u0004', 'a zip archive'],
  [0, 'PK\u0005\u0006', 'an empty zip archive'],
  [0, '\u001f\u008b', 'a gzip file'],
  [0, '\u0089HDF\r\n', 'an HDF5 file (Keras)'],
  [0, '\u0080\u0002', 'a Python pickle (PyTorch)'],
  [4, 'TFL3', 'a TensorFlow Lite model'],
  [4, 'ORTM', 'a model in ORT format'],
  [8, '{"', 'a safetensors file'],
  [0, '\u0093NUMPY', 'a NumPy array'],
  [0, '{', 'JSON text'],
  [0, '<', 'an HTML or XML page'],
  [0, 'version https://git-lfs', 'a Git LFS pointer: the model itself was not downloaded'],
]

/** Bytes that `sniffFormat` looks at. */
export const SNIFF_BYTES = 64

export function sniffFormat(head: Uint8Array): string | undefined {
  if (head.length === 0) return 'an empty file'
  const text = String.fromCharCode(...head.subarray(0, SNIFF_BYTES))
  return SIGNATURES.find(([offset, bytes]) => text.startsWith(bytes, offset))?.[2]
}

export function isZip(head: Uint8Array): boolean {
  return String.fromCharCode(...head.subarray(0, 4)) === 'PK\u0003\u0004'
}
