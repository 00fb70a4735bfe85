import { dirname } from 'node:path'

/**
 * onnxruntime's messages quote its own source files and the paths it was given. Customers read these
 * messages, so both are taken out; names of nodes, which also look like paths, stay.
 */
export function cleanMessage(message: string, hostPaths: readonly string[] = []): string {
  const withoutHostPaths = [...hostPaths.flatMap((path) => [path, dirname(path)])]
    .filter((path) => path.length > 1)
    .sort((a, b) => b.length - a.length)
    .reduce((text, path) => text.replaceAll(path, 'the file'), message)
  return withoutHostPaths
    .replace(SOURCE_LOCATION, '')
    .replace(STATUS_PREFIX, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** `/onnxruntime_src/onnxruntime/core/x.cc:123 virtual Status onnxruntime::X::Compute(…) const `. */
const SOURCE_LOCATION =
  /\S*[\\/]\S*\.(?:cc|cpp|h|hpp):\d+\s+(?:[^():]*(?:::[^():]+)+\([^()]*\)(?:::<lambda\([^()]*\)>)?(?:\s*const)?\s*(?:\[with[^\]]*\]\s*)?)?/g

/** `… while running Conv node. Name:'x' Status Message: ` adds nothing after the node's name. */
const STATUS_PREFIX = /Status Message:\s*/g
