// Normalizations. Their scale and bias are per channel and stay float: no integer kernel exists.
import type { OpFacts } from './op-facts.js'

export const normalization = { family: 'normalization', dataInputs: [0] } satisfies OpFacts
