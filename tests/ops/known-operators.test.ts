// The closed lists of operators, held against onnxruntime: it knows every name on them, in the opset
// in which it appeared, and no opset beyond the newest. onnxruntime refuses a node of an operator
// that it does not know by that reason, before it looks at inputs.
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import {
  CLASSICAL_ML_OP_TYPES,
  MICROSOFT_OP_TYPES,
  NEWEST_CLASSICAL_ML_OPSET,
  NEWEST_OPSET,
  OP_VERSIONS,
} from '@pare/ops'
import { describe, expect, it } from 'vitest'

const runtime = onnxRuntime()
const DOMAINS = { 'com.microsoft': 1, 'ai.onnx.ml': NEWEST_CLASSICAL_ML_OPSET }
const UNKNOWN = /is not a registered function\/op|No Op registered for/

/** Why onnxruntime does not load a node of the operator without inputs and attributes. */
async function complaint(opType: string, opset: number): Promise<string> {
  const built = model({ opset, irVersion: 8, domains: DOMAINS })
    .node(opType, [], ['y'])
    .output('y')
    .build()
  try {
    await (await runtime.createSession(encodeModel(built))).release()
    return ''
  } catch (error) {
    return String(error)
  }
}

describe('the closed lists of operators', () => {
  it('name operators that onnxruntime knows', async () => {
    expect(await complaint('Realu', 17)).toMatch(UNKNOWN)
    const known: readonly (readonly [string, number])[] = [
      ...Object.entries(OP_VERSIONS).map(([name, versions]) => [name, versions.at(-1)!] as const),
      ...MICROSOFT_OP_TYPES.map((name) => [`com.microsoft::${name}`, 17] as const),
      ...CLASSICAL_ML_OP_TYPES.map((name) => [`ai.onnx.ml::${name}`, 17] as const),
    ]
    const unknown: string[] = []
    for (const [name, opset] of known) {
      if (UNKNOWN.test(await complaint(name, Math.max(opset, 7)))) unknown.push(name)
    }
    expect(unknown).toEqual([])
  })

  it('end at the newest opset that onnxruntime loads', async () => {
    const relu = (opset: number) =>
      encodeModel(model({ opset }).input('x').node('Relu', ['x'], ['y']).output('y').build())
    await (await runtime.createSession(relu(NEWEST_OPSET))).release()
    await expect(runtime.createSession(relu(NEWEST_OPSET + 1))).rejects.toThrow(/opset/)
  })
})
