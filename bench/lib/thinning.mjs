// Thins a drawing to lines of one pixel: Zhang and Suen, A fast parallel algorithm for thinning digital
// patterns (Communications of the ACM 27, 1984).

/** `pixels` holds 0 and 1, `size` in a row; what touches the edge stays as it is. */
export function thinned(pixels, size) {
  const image = Uint8Array.from(pixels)
  const ring = [-size, 1 - size, 1, size + 1, size, size - 1, -1, -size - 1]
  for (let changed = true; changed;) {
    changed = false
    for (const half of [0, 1]) {
      const removed = []
      for (let i = size + 1; i < image.length - size - 1; i++) {
        if (
          image[i] === 1 &&
          isRemovable(
            ring.map((step) => image[i + step]),
            half,
          )
        )
          removed.push(i)
      }
      for (const i of removed) image[i] = 0
      changed ||= removed.length > 0
    }
  }
  return image
}

/** Its neighbours, clockwise from the one above: north, …, east at 2, south at 4, west at 6. */
function isRemovable(p, half) {
  const count = p.reduce((sum, value) => sum + value, 0)
  if (count < 2 || count > 6) return false // the end of a line, or inside
  const rises = p.filter((value, k) => value === 0 && p[(k + 1) % 8] === 1).length
  if (rises !== 1) return false
  return half === 0
    ? p[0] * p[2] * p[4] === 0 && p[2] * p[4] * p[6] === 0
    : p[0] * p[2] * p[6] === 0 && p[0] * p[4] * p[6] === 0
}
