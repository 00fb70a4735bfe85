// What became of each node with float data: rows for the report, and a diagnostic for every node
// that a rule kept float32.
import { type Diagnostic, nodeLabel } from '@pare/graph'
import { type LayerDecision, type NarrowType, severityOf, whyNot } from '@pare/recipe'

import { type NarrowingReport } from './narrow-constant.js'
import { describeStay } from './node-decision.js'
import { type Scope, type ScopedNode, type ScopedValue, walkScopes } from './scope.js'

/** One node with float32 data in the original. Plain JSON. */
export interface Float16LayerReport extends LayerDecision<'float32' | NarrowType> {
  /** Constants that it reads in the narrow type. */
  readonly weights?: readonly ({ readonly name: string } & NarrowingReport)[]
  /** Once read back: the type in which the runtime computes it. */
  readonly computedIn?: 'float32' | NarrowType
}

export interface ReportInput {
  readonly root: Scope
  readonly type: NarrowType
  readonly constants: ReadonlyMap<ScopedValue, NarrowingReport>
}

export function layerReports(input: ReportInput): readonly Float16LayerReport[] {
  return [...walkScopes(input.root)].flatMap((scope) =>
    scope.nodes.flatMap((scoped): readonly Float16LayerReport[] => {
      const { node, group, stays } = scoped
      if (group === undefined) return []
      const base = {
        node: nodeLabel(node),
        opType: node.opType,
        output: node.outputs.find((name) => name !== '') ?? '',
      }
      if (group.width === 'narrow') {
        return [{ ...base, decision: input.type, ...weights(scoped, input.constants) }]
      }
      return [{ ...base, decision: 'float32' as const, ...(stays ?? FEWEST_CASTS) }]
    }),
  )
}

const FEWEST_CASTS = whyNot('fewest_casts')

function weights(
  { inputs, wanted }: ScopedNode,
  constants: ReportInput['constants'],
): Pick<Float16LayerReport, 'weights'> {
  const rows = inputs.flatMap((value, i) => {
    const report = value === undefined ? undefined : constants.get(value)
    return report === undefined || wanted[i]?.width !== 'narrow'
      ? []
      : [{ name: value!.name, ...report }]
  })
  return rows.length === 0 ? {} : { weights: rows }
}

export function float16Diagnostics(input: ReportInput): readonly Diagnostic[] {
  const stays = [...walkScopes(input.root)].flatMap((scope) =>
    scope.nodes.flatMap(({ node, stays }): readonly Diagnostic[] =>
      stays === undefined
        ? []
        : [
            {
              severity: severityOf(stays.reason),
              code: `float16_${stays.reason}`,
              message: describeStay(node, stays),
              node: nodeLabel(node),
              opType: node.opType,
            },
          ],
    ),
  )
  const clamped = [...input.constants].flatMap(([{ name }, report]): readonly Diagnostic[] =>
    report.clamped === 0
      ? []
      : [
          {
            severity: 'warning',
            code: 'float16_constant_clamped',
            message: `${report.clamped} elements of constant "${name}" lay beyond the range of ${input.type} and became its greatest finite value`,
          },
        ],
  )
  return [...stays, ...clamped]
}
