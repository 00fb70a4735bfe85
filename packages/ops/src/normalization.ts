// Normalizations. Their scale and bias are per channel and stay float: no integer kernel exists.
import type { OpFacts } from './op-facts.js'

export function normalization(...versions: readonly number[]): OpFacts {
  return { family: 'normalization', versions, dataInputs: [0] }
}
