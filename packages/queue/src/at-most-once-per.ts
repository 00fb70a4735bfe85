/**
 * Passes on at most one call per interval and drops the others: a lost connection repeats the same
 * error hundreds of times, and one line says as much.
 */
export function atMostOncePer<Value>(
  intervalMs: number,
  call: (value: Value) => void,
): (value: Value) => void {
  let nextAt = -Infinity
  return (value) => {
    const now = performance.now()
    if (now < nextAt) return
    nextAt = now + intervalMs
    call(value)
  }
}
