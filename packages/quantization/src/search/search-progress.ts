export interface SearchProgress {
  /** Candidates run. */
  readonly done: number
  /** Candidates foreseen: falling back adds more as it goes. */
  readonly total: number
  readonly message: string
}

/** Counts candidates, of which not all are known beforehand. */
export class ProgressCounter {
  private readonly report: ((progress: SearchProgress) => void) | undefined
  private done = 0
  private total: number

  constructor(report: ((progress: SearchProgress) => void) | undefined, expected: number) {
    this.report = report
    this.total = expected
  }

  expect(more: number): void {
    this.total += more
  }

  /** Says what is run now. */
  step(message: string): void {
    this.report?.({ done: this.done, total: Math.max(this.total, this.done + 1), message })
    this.done++
  }
}
