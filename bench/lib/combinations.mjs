// Combinations of the choices of a recipe's step that hold every two choices that go together: faults
// of a combination are nearly always faults of a pair (Kuhn, Wallace, Gallo, IEEE TSE 30, 2004).
import { createRandom } from './statistics.mjs'

/** Ways to fill up a pair that are tried before the pair counts as refused. */
const ATTEMPTS = 200

/** Every choice and every switch of a step's table of parameters, groups included. */
export function choicesOf(parameters, path = []) {
  return Object.entries(parameters).flatMap(([name, spec]) => {
    const here = [...path, name]
    if (spec.type === 'group') return choicesOf(spec.parameters, here)
    if (spec.type === 'choice') return [{ path: here, values: spec.choices, default: spec.default }]
    if (spec.type === 'boolean') {
      return [{ path: here, values: [true, false], default: spec.default }]
    }
    return []
  })
}

/** `accepts(values)` says whether the service takes the combination. Returns lists of values. */
export function pairwise(choices, accepts) {
  const random = createRandom(1)
  const open = new Set(allPairs(choices))
  const rows = [choices.map((choice) => choice.default)]
  for (const pair of pairsOf(rows[0])) open.delete(pair)
  const refused = []
  for (const pair of open) {
    if (!open.has(pair)) continue
    const row = completed(JSON.parse(pair), { choices, open, random, accepts })
    if (row === undefined) {
      open.delete(pair)
      refused.push(JSON.parse(pair))
      continue
    }
    for (const covered of pairsOf(row)) open.delete(covered)
    rows.push(row)
  }
  return { rows, refused }
}

/** Of the accepted rows that hold the pair, the one that covers most of what is open. */
function completed([[i, a], [j, b]], { choices, open, random, accepts }) {
  let best
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // Some close to the defaults, which nearly always go together, and some far from them.
    const keep = attempt / ATTEMPTS
    const row = choices.map(({ values, default: usual }, at) => {
      if (at === i) return a
      if (at === j) return b
      return random() < keep ? usual : values[Math.floor(random() * values.length)]
    })
    if (!accepts(row)) continue
    const gain = pairsOf(row).filter((pair) => open.has(pair)).length
    if (best === undefined || gain > best.gain) best = { row, gain }
  }
  return best?.row
}

function allPairs(choices) {
  return choices.flatMap(({ values }, i) =>
    choices.flatMap((other, j) =>
      j <= i ? [] : values.flatMap((a) => other.values.map((b) => pairKey(i, a, j, b))),
    ),
  )
}

function pairsOf(row) {
  return row.flatMap((a, i) => row.slice(i + 1).map((b, step) => pairKey(i, a, i + 1 + step, b)))
}

const pairKey = (i, a, j, b) =>
  JSON.stringify([
    [i, a],
    [j, b],
  ])
