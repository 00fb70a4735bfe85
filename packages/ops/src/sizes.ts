/** Product of sizes; 1 for none. */
export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1)
}
