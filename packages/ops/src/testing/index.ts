// Sample cases of every operator that a table names: `@pare/ops/testing`, for tests only.
import { MICROSOFT_DOMAIN } from '../op-types/op-tables.js'
import type { OpType } from '../op-types/op-versions.js'
import { activationCases } from './cases/activation.js'
import { controlFlowCases } from './cases/control-flow.js'
import { convolutionCases } from './cases/convolution.js'
import { comparisonCases, elementwiseCases } from './cases/elementwise.js'
import { generatorCases } from './cases/generator.js'
import { layoutCases } from './cases/layout.js'
import { matMulCases } from './cases/matmul.js'
import { microsoftCases } from './cases/microsoft.js'
import { normalizationCases } from './cases/normalization.js'
import { otherCases } from './cases/other.js'
import { poolCases } from './cases/pool.js'
import { quantizationCases } from './cases/quantization.js'
import { recurrentCases } from './cases/recurrent.js'
import { reductionCases } from './cases/reduction.js'
import { selectionCases } from './cases/selection.js'
import { sequenceCases } from './cases/sequence.js'
import { buildCase, type OpCase, type OpCaseSpec } from './op-case.js'

export type { OpCase, OpCaseSpec } from './op-case.js'
export { quantizedCase, type QuantizedCaseOptions } from './quantized-case.js'

/** An operator without a case does not compile. */
const onnxCases = {
  ...activationCases,
  ...comparisonCases,
  ...controlFlowCases,
  ...convolutionCases,
  ...elementwiseCases,
  ...generatorCases,
  ...layoutCases,
  ...matMulCases,
  ...normalizationCases,
  ...otherCases,
  ...poolCases,
  ...quantizationCases,
  ...recurrentCases,
  ...reductionCases,
  ...selectionCases,
  ...sequenceCases,
} satisfies Readonly<Record<OpType, readonly OpCaseSpec[]>>

function built(
  cases: Readonly<Record<string, readonly OpCaseSpec[]>>,
  domain: string,
): readonly OpCase[] {
  return Object.entries(cases)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([opType, specs]) => specs.map((spec) => buildCase(opType, domain, spec)))
}

/** Of the default domain, in alphabetical order; the first of an operator is its plainest form. */
export const ONNX_CASES: readonly OpCase[] = built(onnxCases, '')

/** Of com.microsoft, every operator that the table of facts names. */
export const MICROSOFT_CASES: readonly OpCase[] = built(microsoftCases, MICROSOFT_DOMAIN)

/** All cases of an operator of the default domain. */
export function casesOf(opType: OpType): readonly OpCase[] {
  return ONNX_CASES.filter((one) => one.opType === opType)
}
