import type { NumericArray } from '@pare/tensor'

/** Least, greatest, mean and standard deviation of the finite values, one batch after the other. */
export class Moments {
  private least = Infinity
  private greatest = -Infinity
  private count = 0
  private left = 0
  /** A value near all others, so that the sums of differences lose no digits. */
  private origin = 0
  private sum = 0
  private squares = 0

  add(values: NumericArray): void {
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      this.add(Float64Array.from(values, Number))
      return
    }
    let { least, greatest, left, sum, squares } = this
    const origin = this.count === 0 ? originOf(values) : this.origin
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      const difference = value - origin
      // Infinity − Infinity and NaN are not equal to themselves.
      if (value - value !== 0) left++
      else {
        if (value < least) least = value
        if (value > greatest) greatest = value
        sum += difference
        squares += difference * difference
      }
    }
    this.count += values.length - (left - this.left)
    Object.assign(this, { least, greatest, left, origin, sum, squares })
  }

  get nonFinite(): number {
    return this.left
  }

  get min(): number | null {
    return this.count === 0 ? null : this.least + 0
  }

  get max(): number | null {
    return this.count === 0 ? null : this.greatest + 0
  }

  get mean(): number | null {
    return this.count === 0 ? null : this.origin + this.sum / this.count
  }

  get std(): number | null {
    if (this.count === 0) return null
    const mean = this.sum / this.count
    return Math.sqrt(Math.max(0, this.squares / this.count - mean * mean))
  }
}

function originOf(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) return values[i]!
  return 0
}
