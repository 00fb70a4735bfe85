// An upgraded model must compute what the old one did: both run in onnxruntime.
import { checkModel, type Model, onnxOpset } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { NEWEST_OPSET, opRow, type OpTable } from '@pare/ops'
import { ONNX_CASES, type OpCase, type OpCaseSpec } from '@pare/ops/testing'
import { raiseOpset, type ValueShapes } from '@pare/passes'
import type { RuntimeTensor } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { upgradeTable } from '../../packages/passes/src/opset/upgrade-table.js'
import { expectSameOutputs, randomFloats } from '../support/run-model.js'

/** Rules that always refuse. */
const REFUSED: ReadonlySet<string> = new Set(['DFT 20', 'GroupNormalization 21', 'Scan 9'])

/** The rules that a case passes on its way to the newest opset. */
function rulesOf({ opType, opset }: OpCase): readonly string[] {
  return Object.keys(opRow(upgradeTable, { opType, domain: '' }) ?? {})
    .filter((version) => Number(version) > opset)
    .map((version) => `${opType} ${version}`)
}

const CASES = ONNX_CASES.filter(({ isRandom, hasNoKernel }) => !isRandom && !hasNoKernel)
const RAISED = CASES.filter((one) => !rulesOf(one).some((rule) => REFUSED.has(rule)))

/** From these opsets on, which only widened types, onnxruntime has no kernel of the operator. */
const WITHOUT_KERNEL: OpTable<number> = {
  GlobalLpPool: 22,
  MaxRoiPool: 22,
  RoiAlign: 22,
  Swish: 25,
}

describe('raiseOpset', () => {
  it.each(RAISED)('keeps what $title computes', async (one) => {
    checkModel(one.model)
    const last = (opRow(WITHOUT_KERNEL, one) ?? NEWEST_OPSET + 1) - 1
    for (const version of [9, 11, 13, 17, 18, 21, NEWEST_OPSET]) {
      if (version <= one.opset || version > last) continue
      const { model: after, modified, diagnostics } = raiseOpset(version).run(one.model)
      expect([modified, diagnostics]).toEqual([true, []])
      expect(onnxOpset(after)).toBe(version)
      checkModel(after)
      await expectSameOutputs(one.model, after, one.feeds, { relative: 1e-6, mayBeZero: true })
    }
  })

  it('has a case for every rule of the table', () => {
    const rules = Object.entries(upgradeTable).flatMap(([opType, versions]) =>
      Object.keys(versions).map((version) => `${opType} ${version}`),
    )
    const covered = new Set([...RAISED.flatMap(rulesOf), ...REFUSED])
    expect(rules.filter((rule) => !covered.has(rule))).toEqual([])
  })

  it.each(CASES.filter((one) => !RAISED.includes(one)))('refuses $title', (one) => {
    const { modified, diagnostics } = raiseOpset(NEWEST_OPSET).run(one.model)
    expect(modified).toBe(false)
    expect(diagnostics).toMatchObject([{ code: 'opset_not_raised' }])
  })

  it('writes the flattening of Softmax out where the rank is unknown, and not where it is learned', async () => {
    const before = model({ opset: 11, irVersion: 6 })
      .input('x')
      .node('Softmax', ['x'], ['y'])
      .output('y')
      .build()
    const types = (after: Model) => after.graph.nodes.map(({ opType }) => opType)
    const unknown = raiseOpset(13).run(before).model
    expect(types(unknown)).toEqual(['Shape', 'Flatten', 'Softmax', 'Reshape'])
    await expectSameOutputs(before, unknown, { x: randomFloats([2, 3, 4]) })
    const shapes: ValueShapes = new Map([['x', { dataType: 'float32', dims: [2, 3] }]])
    const known = raiseOpset(13, { shapes }).run(before).model
    expect(types(known)).toEqual(['Softmax'])
    await expectSameOutputs(before, known, { x: randomFloats([2, 3]) })
  })

  it('upgrades bodies, with constants of the graphs around them', async () => {
    const body = (output: string, mode: string) =>
      model()
        .node('Unsqueeze', ['x'], [`${output}_u`], { axes: [0] })
        .node('Resize', [`${output}_u`, 'scales'], [output], { mode })
        .output(output)
        .graph()
    const before = model({ opset: 10, irVersion: 5 })
      .input('x', 'float32', [1, 2, 2])
      .input('flag', 'bool', [])
      .floats('scales', [4], [1, 1, 2, 2])
      .node('If', ['flag'], ['y'], {
        then_branch: body('t', 'nearest'),
        else_branch: body('e', 'linear'),
      })
      .output('y')
      .build()
    const { model: after, diagnostics } = raiseOpset(17).run(before)
    expect(diagnostics).toEqual([])
    checkModel(after)
    for (const value of [0, 1]) {
      const flag: RuntimeTensor = { dataType: 'bool', dims: [], data: Uint8Array.of(value) }
      await expectSameOutputs(before, after, { x: randomFloats([1, 2, 2]), flag })
    }
  })

  it.each<{
    title: string
    from: number
    to: number
    opType: string
    attributes?: OpCaseSpec['attributes']
  }>([
    { title: 'an operator that no opset had', from: 11, to: 13, opType: 'Nonsense' },
    { title: 'Resize by scales that are computed', from: 10, to: 11, opType: 'Resize' },
    {
      title: 'BatchNormalization of each position',
      from: 7,
      to: 9,
      opType: 'BatchNormalization',
      attributes: { spatial: 0 },
    },
    {
      title: 'AveragePool that counts padding it leaves',
      from: 13,
      to: 19,
      opType: 'AveragePool',
      attributes: { kernel_shape: [2, 2], ceil_mode: 1, count_include_pad: 1 },
    },
    {
      title: 'coordinates that are gone',
      from: 11,
      to: 13,
      opType: 'Resize',
      attributes: { coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
    },
  ])('leaves a model with $title as it is and says so', ({ from, to, opType, attributes = {} }) => {
    const inputs = opType === 'BatchNormalization' ? ['x', 'a', 'a', 'a', 'a'] : ['x', 'a']
    const before = model({ opset: from, irVersion: 8 })
      .input('x')
      .input('a')
      .node('Relu', ['x'], ['r'])
      .node(opType, inputs, ['y'], { ...attributes })
      .named('culprit')
      .output('y')
      .build()
    const result = raiseOpset(to).run(before)
    expect(result.model).toBe(before)
    expect(result.diagnostics).toMatchObject([
      { code: 'opset_not_raised', severity: 'warning', node: 'culprit', opType },
    ])
  })

  it('knows the opsets it was written for', () => {
    const at = (opset: number) =>
      model({ opset, irVersion: 8 }).input('x').node('Relu', ['x'], ['y']).output('y').build()
    expect(raiseOpset(13).run(at(13)).modified).toBe(false)
    expect(raiseOpset(13).run(at(17)).modified).toBe(false)
    expect(raiseOpset(13).run(at(6)).diagnostics).toHaveLength(1)
    expect(raiseOpset(NEWEST_OPSET + 1).run(at(13)).diagnostics).toHaveLength(1)
    expect(raiseOpset(NEWEST_OPSET).run(at(13)).model.irVersion).toBe(13)
    expect(raiseOpset(23).run(at(13)).model.irVersion).toBe(11)
  })
})
