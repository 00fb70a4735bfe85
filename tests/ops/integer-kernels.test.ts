// The rows about integer kernels, held against onnxruntime: DequantizeLinear → op → QuantizeLinear
// is loaded, the graph that onnxruntime made of it is read back, and the op is looked for.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Model, Value } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { decodeModel, encodeModel } from '@pare/onnx'
import { type OpFacts, opFacts, opTable, sharesQuantization } from '@pare/ops'
import { ONNX_CASES, type OpCase } from '@pare/ops/testing'
import { elementCount, tensorFromInts } from '@pare/tensor'
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

/** Same scale and zero point on both sides, as an op that shares quantization needs. */
const SCALE = 0.25
const ZERO_POINT = 128

/**
 * The case with its data and weights as dequantized bytes: float values of more than one axis. Scales
 * per channel and scalars stay float.
 */
function quantizedAround(one: OpCase, quantizeOutput: boolean): Model {
  const { graph } = one.model
  const [node] = graph.nodes
  const builder = model({ opset: 17, irVersion: 8 })
    .floats('scale', [], [SCALE])
    .initializer('zero', tensorFromInts('uint8', [], [ZERO_POINT]))
  const dequantized = (name: string) => {
    builder.node('DequantizeLinear', [name, 'scale', 'zero'], [`${name}_float`])
    return `${name}_float`
  }
  const inputs = node!.inputs.map((name) => {
    const tensor = graph.initializers.get(name)
    if (tensor !== undefined && (tensor.dataType !== 'float32' || tensor.dims.length < 2)) {
      builder.initializer(name, tensor)
      return name
    }
    if (tensor !== undefined) {
      const values = Array.from({ length: elementCount(tensor.dims) }, (_, n) => n % 7)
      builder.initializer(name, tensorFromInts('uint8', tensor.dims, values))
      return dequantized(name)
    }
    const feed = one.feeds[name]
    if (feed === undefined) return name
    const isData = feed.dataType === 'float32'
    builder.input(name, isData ? 'uint8' : feed.dataType, feed.dims)
    return isData ? dequantized(name) : name
  })
  builder.node(one.opType, inputs, node!.outputs, Object.fromEntries(node!.attributes))
  for (const { name } of graph.outputs) {
    if (quantizeOutput) {
      builder.node('QuantizeLinear', [name, 'scale', 'zero'], [`${name}_bytes`])
      builder.output(`${name}_bytes`, 'uint8')
    } else builder.output(name, 'float32')
  }
  return builder.build()
}

describe('onnxruntime’s integer kernels', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-kernels-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Whether the optimized graph computes the op without going through float. */
  async function isInteger(one: OpCase, quantizeOutput: boolean): Promise<boolean> {
    const built = quantizedAround(one, quantizeOutput)
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
