// The rows about integer kernels, held against onnxruntime: DequantizeLinear → op → QuantizeLinear
// is loaded, the graph that onnxruntime made of it is read back, and the op is looked for.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Value } from '@pare/graph'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { decodeModel, encodeModel } from '@pare/onnx'
import { type OpFacts, opFacts, opTable, sharesQuantization } from '@pare/ops'
import { ONNX_CASES, type OpCase, quantizedCase } from '@pare/ops/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/**
 * The plainest case of each operator that computes floats from floats, as opset 17 has it. A Dropout
 * is left out: onnxruntime removes it, and so it never stands between Q and DQ.
 */
const CASES = ONNX_CASES.filter(
  (one, i) =>
    one.opType !== ONNX_CASES[i - 1]?.opType &&
    one.opset === 17 &&
    one.model.graph.nodes.length === 1 &&
    !one.isRandom &&
    opFacts(one)?.family !== 'control_flow' &&
    one.opType !== 'Dropout' &&
    one.model.graph.inputs.some(isFloat) &&
    one.model.graph.outputs.every(isFloat),
)

function isFloat({ type }: Value): boolean {
  return type?.kind === 'tensor' && type.elementType === 'float32'
}

describe('onnxruntime’s integer kernels', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-kernels-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Whether the optimized graph computes the op without going through float. */
  async function isInteger(one: OpCase, quantizeOutput: boolean): Promise<boolean> {
    const built = quantizedCase(one, { quantizeOutput })
    const optimizedModelPath = join(folder, `${one.opType}.onnx`)
    const session = await onnxRuntime().createSession(encodeModel(built), { optimizedModelPath })
    await session.release()
    const { graph } = decodeModel(await readFile(optimizedModelPath))
    return !graph.nodes.some((node) => node.opType === 'DequantizeLinear')
  }

  it.each(CASES)('$opType is as its row says', async (one) => {
    const claimed = opFacts(one)?.integerKernel
    const expected = claimed !== undefined || sharesQuantization(one, 17)
    expect(await isInteger(one, true), 'with a quantized output').toBe(expected)
    expect(await isInteger(one, false), 'with a float output').toBe(claimed === 'any_output')
  })

  it('covers every operator that claims one', () => {
    const rows: Readonly<Record<string, OpFacts>> = opTable
    const claims = Object.entries(rows).filter(
      ([opType, { integerKernel }]) =>
        integerKernel !== undefined || sharesQuantization({ opType, domain: '' }, 17),
    )
    const covered = new Set(CASES.map(({ opType }) => opType))
    expect(claims.map(([opType]) => opType).filter((opType) => !covered.has(opType))).toEqual([])
  })
})
