// Compares ours with the best of the peer on one network, and says where ours misses what it wants.
import { medianInterval } from '../../packages/evaluation/dist/index.js'
import { COUNTERPARTS, DEFAULT_SCHEME } from './schemes.mjs'
import { mean, median, pairedDifference } from './statistics.mjs'

/** A difference in latency below this is nothing that a repeated measurement would show again. */
const NOTICEABLE = 0.03

/** Rows that failed have no scores and take no part. Returns `{ lines, misses, ratios }`. */
export function judgeNetwork(rows) {
  const float = rows.find(({ side }) => side === 'float')
  const ours = rows.find(({ label }) => label === DEFAULT_SCHEME)
  const peers = rows.filter(({ side, scores }) => side === 'peer' && scores !== undefined)
  if (ours === undefined) return { lines: [], misses: [], ratios: productionRatios(rows) }
  if (ours.scores === undefined) {
    const misses = [`no model of ours: ${ours.made.error}`]
    return { lines: [], misses, ratios: productionRatios(rows) }
  }
  const findings = [
    againstFloat(ours, float),
    ...(peers.length === 0 ? [] : [againstBest(ours, peers), againstFastest(ours, peers)]),
  ]
  return {
    lines: findings.map(({ line }) => line),
    misses: findings.flatMap(({ miss }) => miss ?? []),
    ratios: productionRatios(rows),
  }
}

function againstBest(ours, peers) {
  const best = peers.toSorted((a, b) => mean(b.scores) - mean(a.scores))[0]
  const { difference, low, high, p } = pairedDifference(ours.scores, best.scores)
  const test = p === undefined ? '' : `, p ${p.toFixed(2)}`
  const line = `${signed(difference)} [${signed(low)}, ${signed(high)}${test}] against the best of the peer (${best.label})`
  return { line, miss: high < 0 ? `less accurate than ${best.label}: ${line}` : undefined }
}

function againstFastest(ours, peers) {
  const equal = peers.filter(({ scores }) => pairedDifference(scores, ours.scores).high >= 0)
  if (equal.length === 0) return { line: 'no row of the peer is as accurate' }
  const fastest = equal.toSorted((a, b) => a.latency.p50 - b.latency.p50)[0]
  return speedFinding(
    ours,
    fastest,
    `the fastest equally accurate row of the peer (${fastest.label})`,
  )
}

function againstFloat(ours, float) {
  return speedFinding(ours, float, 'the float model')
}

/** Rounds are compared one by one: what disturbs one side in a round disturbs the other as well. */
function speedFinding(ours, other, name) {
  const ratios = ours.latency.rounds.map((time, round) => other.latency.rounds[round] / time)
  const { low, high } = medianInterval(ratios)
  const line = `${median(ratios).toFixed(2)}x [${low.toFixed(2)}, ${high.toFixed(2)}] the speed of ${name}`
  return { line, miss: high < 1 - NOTICEABLE ? `slower: ${line}` : undefined }
}

/** How many times as long, and as much memory, the peer takes for the same work. */
function productionRatios(rows) {
  const row = (label) => rows.find((candidate) => candidate.label === label)
  const ratio = (label, counterpart) => {
    const [ours, theirs] = [row(label)?.made, row(counterpart)?.made]
    if ([ours, theirs].some((made) => made === undefined || made.error !== undefined)) return []
    const bare = theirs.wall - (theirs.preprocessing ?? 0)
    return [
      [
        label,
        {
          wall: theirs.wall / ours.wall,
          wallWithoutPreprocessing: bare / ours.wall,
          peak: theirs.peak / ours.peak,
        },
      ],
    ]
  }
  return Object.fromEntries(
    Object.entries(COUNTERPARTS).flatMap(([label, counterpart]) => ratio(label, counterpart)),
  )
}

const signed = (difference) => `${difference < 0 ? '' : '+'}${(100 * difference).toFixed(2)}`
