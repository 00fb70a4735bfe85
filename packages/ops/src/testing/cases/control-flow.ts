import { type Graph } from '@pare/graph'
import { model } from '@pare/graph/testing'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, fed, int, w, x } from '../samples.js'

/** A body without inputs that reads the value `x1` around it. */
const branch = (opType: string, output: string): Graph =>
  model().node(opType, ['x1'], [output]).output(output).graph()

/** s ← s + v, for each v of a sequence; s is shown too. */
const running = (): Graph =>
  model()
    .input('s', 'float32', [3])
    .input('v', 'float32', [3])
    .node('Add', ['s', 'v'], ['sum'])
    .node('Identity', ['sum'], ['seen'])
    .output('sum', 'float32', [3])
    .output('seen', 'float32', [3])
    .graph()

export const controlFlowCases = {
  If: [
    {
      inputs: [fed('bool', [], [1]), x(2, 3)],
      nodes: (builder, [flag]) =>
        builder.node('If', [flag!], ['y0'], {
          then_branch: branch('Relu', 'then'),
          else_branch: branch('Neg', 'else'),
        }),
    },
  ],
  Loop: [
    {
      inputs: [int(3), constant('bool', [], [1]), x(2, 2), w(2, 2)],
      nodes: (builder, [count, go, start, weight]) =>
        builder.node('Loop', [count!, go!, start!], ['y0', 'y1'], {
          body: model()
            .input('i', 'int64', [])
            .input('on', 'bool', [])
            .input('a', 'float32', [2, 2])
            .node('MatMul', ['a', weight!], ['b'])
            .node('Identity', ['on'], ['go_on'])
            .node('Identity', ['b'], ['each'])
            .output('go_on', 'bool', [])
            .output('b', 'float32', [2, 2])
            .output('each', 'float32', [2, 2])
            .graph(),
        }),
      outputs: ['float32', 'float32'],
    },
  ],
  Scan: [
    {
      inputs: [x(3), x(4, 3)],
      attributes: { num_scan_inputs: 1, body: running() },
      outputs: ['float32', 'float32'],
    },
    {
      title: 'with a batch axis',
      opset: 8,
      inputs: [null, x(2, 3), x(2, 4, 3)],
      attributes: { num_scan_inputs: 1, body: running() },
      outputs: ['float32', 'float32'],
    },
  ],
  SequenceMap: [
    {
      inputs: [x(2, 3)],
      nodes: (builder, [data]) =>
        builder
          .node('SequenceConstruct', [data!, data!], ['sequence'])
          .node('SequenceMap', ['sequence'], ['mapped'], {
            body: model().input('v').node('Neg', ['v'], ['n']).output('n').graph(),
          })
          .node('ConcatFromSequence', ['mapped'], ['y0'], { axis: 0 }),
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
