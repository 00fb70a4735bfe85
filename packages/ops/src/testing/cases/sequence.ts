import type { ModelBuilder } from '@pare/graph/testing'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { int, x } from '../samples.js'

/** A sequence `s` of two values, and what becomes of it. */
function onSequence(
  nodes: (builder: ModelBuilder, inputs: readonly string[]) => ModelBuilder,
  outputs: OpCaseSpec['outputs'] = ['float32'],
): readonly OpCaseSpec[] {
  return [
    {
      inputs: [x(2, 3), x(2, 3), int(1)],
      nodes: (builder, inputs) => {
        builder.node('SequenceConstruct', inputs.slice(0, 2), ['s'])
        nodes(builder, inputs)
      },
      outputs,
    },
  ]
}

const joined = (builder: ModelBuilder, sequence: string) =>
  builder.node('ConcatFromSequence', [sequence], ['y0'], { axis: 0 })

/** A value in an optional, and whether it is there. */
const optional: readonly OpCaseSpec[] = [
  {
    opset: 18,
    inputs: [x(2, 3)],
    nodes: (builder, [data]) =>
      builder
        .node('Optional', [data!], ['maybe'])
        .node('OptionalHasElement', ['maybe'], ['y0'])
        .node('OptionalGetElement', ['maybe'], ['y1']),
    outputs: ['bool', 'float32'],
  },
]

export const sequenceCases = {
  ConcatFromSequence: onSequence((builder) => joined(builder, 's')),
  Optional: optional,
  OptionalGetElement: optional,
  OptionalHasElement: optional,
  SequenceAt: onSequence((builder, [, , one]) => builder.node('SequenceAt', ['s', one!], ['y0'])),
  SequenceConstruct: onSequence((builder) => joined(builder, 's')),
  SequenceEmpty: [
    {
      inputs: [x(2, 3)],
      nodes: (builder, [data]) =>
        joined(
          builder.node('SequenceEmpty', [], ['e']).node('SequenceInsert', ['e', data!], ['f']),
          'f',
        ),
    },
  ],
  SequenceErase: onSequence((builder, [, , one]) =>
    joined(builder.node('SequenceErase', ['s', one!], ['t']), 't'),
  ),
  SequenceInsert: onSequence((builder, [a, , one]) =>
    joined(builder.node('SequenceInsert', ['s', a!, one!], ['t']), 't'),
  ),
  SequenceLength: onSequence((builder) => builder.node('SequenceLength', ['s'], ['y0']), ['int64']),
  SplitToSequence: [
    {
      inputs: [x(4, 3)],
      nodes: (builder, [data]) =>
        joined(builder.node('SplitToSequence', [data!], ['parts'], { axis: 0 }), 'parts'),
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
