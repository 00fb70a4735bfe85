// Rules:
// 1. Initializers equal in type, shape and bytes become one: the first in the model.
// 2. Only constants count: a default of a graph input may be overridden.
// 3. External data is equal when it is the same range of the same file.
import { editGraph, type Model, type Pass, type PassResult } from '@pare/graph'
import type { Tensor } from '@pare/tensor'

export function deduplicateInitializers(): Pass {
  return { name: 'deduplicate_initializers', run }
}

function run(model: Model): PassResult {
  const editor = editGraph(model)
  const groups = new Map<string, { name: string; tensor: Tensor }[]>()
  let modified = false
  for (const [name, tensor] of model.graph.initializers) {
    if (editor.isGraphInput(name) || editor.isGraphOutput(name)) continue
    const key = `${tensor.dataType}[${tensor.dims.join(',')}]${hashOf(tensor)}`
    const group = groups.get(key)
    const same = group?.find((other) => areEqual(other.tensor, tensor))
    if (same !== undefined) {
      editor.replaceUses(name, same.name)
      modified = true
    } else if (group !== undefined) group.push({ name, tensor })
    else groups.set(key, [{ name, tensor }])
  }
  if (!modified) return { model, modified: false, diagnostics: [] }
  editor.removeUnusedInitializers()
  return { model: editor.finish(), modified: true, diagnostics: [] }
}

/** FNV-1a over at most this many bytes spread over the data: enough to tell most tensors apart. */
const HASHED_BYTES = 4096

function hashOf({ data }: Tensor): number {
  if (data.kind !== 'bytes') return 0
  const step = Math.max(1, Math.floor(data.bytes.length / HASHED_BYTES))
  let hash = 0x811c9dc5
  for (let i = 0; i < data.bytes.length; i += step) {
    hash = Math.imul(hash ^ data.bytes[i]!, 0x01000193)
  }
  return hash >>> 0
}

function areEqual(a: Tensor, b: Tensor): boolean {
  if (a.data.kind === 'bytes' && b.data.kind === 'bytes') {
    return equalBytes(a.data.bytes, b.data.bytes)
  }
  if (a.data.kind === 'external' && b.data.kind === 'external') {
    const { location, offset, length } = b.data
    return a.data.location === location && a.data.offset === offset && a.data.length === length
  }
  if (a.data.kind === 'strings' && b.data.kind === 'strings') {
    const others = b.data.strings
    return (
      a.data.strings.length === others.length &&
      a.data.strings.every((text, i) => equalBytes(text, others[i]!))
    )
  }
  return false
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
