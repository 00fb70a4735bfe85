// What gptq and awq know of a layer's inputs: XᵀX and Σ|x| over all rows that were seen.
// Plain sums, so statistics of parts of the data add up.
export interface InputGram {
  readonly columns: number
  /** Rows of X: samples times positions. */
  readonly rows: number
  /** XᵀX, [columns, columns]. */
  readonly gram: Float64Array
  /** Σ|x| per column. */
  readonly magnitude: Float64Array
}

export interface GramStatistics {
  readonly samples: number
  /** By value name. */
  readonly inputs: ReadonlyMap<string, InputGram>
}

export function addGrams(a: InputGram, b: InputGram): InputGram {
  return {
    columns: a.columns,
    rows: a.rows + b.rows,
    gram: a.gram.map((value, i) => value + b.gram[i]!),
    magnitude: a.magnitude.map((value, i) => value + b.magnitude[i]!),
  }
}

/** Statistics of the same inputs divided by `scales`, column by column. */
export function scaleGram(input: InputGram, scales: ArrayLike<number>): InputGram {
  const { columns, gram, magnitude } = input
  const scaled = new Float64Array(gram.length)
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      scaled[i * columns + j] = gram[i * columns + j]! / (scales[i]! * scales[j]!)
    }
  }
  return { ...input, gram: scaled, magnitude: magnitude.map((value, i) => value / scales[i]!) }
}
