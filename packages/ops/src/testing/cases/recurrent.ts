import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, w, x } from '../samples.js'

const [steps, batch, size, hidden] = [5, 2, 3, 4]

/** Weights of `gates` gates and both directions where there are two. */
function layer(gates: number, outputs: number): readonly OpCaseSpec[] {
  const types = Array.from({ length: outputs }, () => 'float32' as const)
  const inputs = (directions: number) => [
    x(steps, batch, size),
    w(directions, gates * hidden, size),
    w(directions, gates * hidden, hidden),
    w(directions, 2 * gates * hidden),
  ]
  return [
    { inputs: inputs(1).slice(0, 3), attributes: { hidden_size: hidden }, outputs: types },
    {
      title: 'a bias, both directions',
      inputs: inputs(2),
      attributes: { hidden_size: hidden, direction: 'bidirectional' },
      outputs: types,
    },
    {
      title: 'sequences of different length',
      inputs: [...inputs(1), constant('int32', [batch], [5, 3])],
      attributes: { hidden_size: hidden },
      outputs: types,
    },
  ]
}

export const recurrentCases = {
  GRU: layer(3, 2),
  LSTM: layer(4, 3),
  RNN: layer(1, 2),
} satisfies OpTable<readonly OpCaseSpec[]>
