// Arithmetic, functions, comparisons and choices, element by element. Operands broadcast (opset 7).
import { attr } from '@pare/graph'
import { type DataType, dataTypeNumber } from '@pare/tensor'

import type { OpType } from '../op-types/op-versions.js'
import type { Operand, ValueName, Writer } from './writer.js'

export function arithmeticOf(write: Writer) {
  const unary = (opType: OpType) => (x: Operand) => write.node(opType, [x])
  const binary = (opType: OpType) => (a: Operand, b: Operand) => write.node(opType, [a, b])
  const equal = binary('Equal')
  const or = binary('Or')
  const less = binary('Less')
  const greater = binary('Greater')
  return {
    add: binary('Add'),
    sub: binary('Sub'),
    mul: binary('Mul'),
    div: binary('Div'),
    pow: binary('Pow'),
    /** The greater of each pair (opset 8). */
    max: binary('Max'),
    /** The smaller of each pair (opset 8). */
    min: binary('Min'),

    neg: unary('Neg'),
    abs: unary('Abs'),
    exp: unary('Exp'),
    log: unary('Log'),
    sqrt: unary('Sqrt'),
    reciprocal: unary('Reciprocal'),
    /** −1, 0 or 1 (opset 9). */
    sign: unary('Sign'),
    erf: unary('Erf'),
    sigmoid: unary('Sigmoid'),
    tanh: unary('Tanh'),
    relu: unary('Relu'),
    softplus: unary('Softplus'),
    sin: unary('Sin'),
    cos: unary('Cos'),
    floor: unary('Floor'),
    ceil: unary('Ceil'),
    /** Halves to the even integer (opset 11). */
    round: unary('Round'),
    identity: unary('Identity'),

    /** Floats from opset 11 on. */
    equal,
    less,
    greater,
    lessOrEqual: (a: Operand, b: Operand): ValueName =>
      write.opset >= 12 ? write.node('LessOrEqual', [a, b]) : or(less(a, b), equal(a, b)),
    greaterOrEqual: (a: Operand, b: Operand): ValueName =>
      write.opset >= 12 ? write.node('GreaterOrEqual', [a, b]) : or(greater(a, b), equal(a, b)),
    not: unary('Not'),
    and: binary('And'),
    or,

    /** `a` where the condition holds, else `b` (opset 9). */
    where: (condition: ValueName, a: Operand, b: Operand): ValueName =>
      write.node('Where', [condition, a, b]),
    cast: (x: ValueName, to: DataType): ValueName =>
      write.node('Cast', [x], { to: attr.int(dataTypeNumber(to)) }),
    clip: clipOf(write),
  }
}

/** Between two bounds; one that is left out does not bind. Bounds that are values from opset 11 on. */
function clipOf(write: Writer) {
  return (x: ValueName, min?: Operand, max?: Operand): ValueName => {
    if (write.opset >= 11) return write.node('Clip', [x, min ?? '', max ?? ''])
    if (typeof min === 'string' || typeof max === 'string') {
      throw write.lacks('Clip with computed bounds', 11)
    }
    return write.node('Clip', [x], {
      min: min === undefined ? undefined : attr.float(min),
      max: max === undefined ? undefined : attr.float(max),
    })
  }
}
