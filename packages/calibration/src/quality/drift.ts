// Whether the calibration data looks like the data that the result will be judged on.
import { compareStatistics } from '../compare-statistics.js'
import type { CalibrationStatistics } from '../statistics.js'
import type { DataDiagnostic } from './data-quality.js'
import type { WatchedInput } from './input-watch.js'

/** Parts of one data set are nearly always below these, also of 50 recordings that differ a lot. */
const MEAN_SHIFT = 0.5
const STD_RATIO = 1.5
/** Part of the calibrated range by which values may lie outside: a part of a few is chance. */
const OVERSHOOT = 0.5
const MOST_NAMED = 3

/** Differences of the inputs' means (in standard deviations) and of their spread. */
export function inputDrift(
  calibration: readonly WatchedInput[],
  validation: readonly WatchedInput[],
): readonly DataDiagnostic[] {
  return calibration.flatMap((a) => {
    const b = validation.find(({ name }) => name === a.name)
    if (b?.mean == null || b.std === null || a.mean === null || a.std === null) return []
    const spread = Math.max(a.std, b.std)
    if (spread === 0 && a.mean === b.mean) return []
    const shift = Math.abs(a.mean - b.mean) / spread
    const ratio = spread / Math.min(a.std, b.std)
    if (shift <= MEAN_SHIFT && ratio <= STD_RATIO) return []
    const message = `input ${a.name} differs between calibration and validation data: mean ${figure(a.mean)} and ${figure(b.mean)}, standard deviation ${figure(a.std)} and ${figure(b.std)}; ranges found on other data than the result is for clip it or waste integers`
    return [{ severity: 'warning', code: 'calibration_drift', message, tensor: a.name }]
  })
}

/** Values of the validation data far outside the ranges that the calibration data had. */
export function rangeDrift(
  calibration: CalibrationStatistics,
  validation: CalibrationStatistics<'minmax'>,
): readonly DataDiagnostic[] {
  const ranges = { ...calibration, kind: 'minmax' } as CalibrationStatistics<'minmax'>
  const beyond = compareStatistics(asMinMax(ranges), validation)
    .map(({ tensor, a, b }) => {
      const outside = Math.max(a.min - b.min, b.max - a.max, 0)
      return { tensor, a, b, part: outside / (a.max - a.min) }
    })
    .filter(({ part }) => part > OVERSHOOT)
    .sort((x, y) => y.part - x.part)
  if (beyond.length === 0) return []
  const named = beyond
    .slice(0, MOST_NAMED)
    .map(
      ({ tensor, a, b }) =>
        `${tensor} (calibrated ${figure(a.min)} to ${figure(a.max)}, now ${figure(b.min)} to ${figure(b.max)})`,
    )
  const message = `on validation data ${beyond.length} of ${Object.keys(calibration.tensors).length} values inside the model go beyond their calibrated range by more than half of it: ${named.join('; ')}`
  const { tensor } = beyond[0]!
  return [{ severity: 'warning', code: 'calibration_drift', message, tensor, count: beyond.length }]
}

/** Without the counts, which would be compared too. */
function asMinMax(statistics: CalibrationStatistics<'minmax'>): CalibrationStatistics<'minmax'> {
  const tensors = Object.entries(statistics.tensors).map(([name, { rank, state }]) => {
    const { range, nonFinite } = state
    return [name, { rank, state: range === undefined ? { nonFinite } : { range, nonFinite } }]
  })
  return { ...statistics, tensors: Object.fromEntries(tensors) as typeof statistics.tensors }
}

function figure(value: number): string {
  return String(Number(value.toPrecision(3)))
}
