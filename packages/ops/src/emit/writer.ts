// What every helper of the emitter writes with: nodes of known operators, and constants made once.
import type { Attribute, GraphEditor } from '@pare/graph'
import { type DataType, type Tensor, tensorFromFloats, tensorFromInts } from '@pare/tensor'

import { errors } from '../errors.js'
import { sinceVersion } from '../facts.js'
import type { OpType } from '../op-types/op-versions.js'

/** The name of a value of the graph. Shapes and types are the caller's to know. */
export type ValueName = string

/** A value, or a number that becomes a scalar constant of the emitter's `floatType`. */
export type Operand = ValueName | number

/** Attributes that are left out where they are undefined. */
export type EmittedAttributes = Readonly<Record<string, Attribute | undefined>>

export interface EmitterOptions {
  /** Type of the constants that numbers become. Default float32. */
  readonly floatType?: DataType
  /** In front of the names of nodes and values, e.g. `step_`. Default none. */
  readonly prefix?: string
}

export class Writer {
  readonly opset: number
  private readonly editor: GraphEditor
  private readonly floatType: DataType
  private readonly prefix: string
  private readonly constants = new Map<string, ValueName>()

  constructor(editor: GraphEditor, { floatType = 'float32', prefix = '' }: EmitterOptions) {
    this.editor = editor
    this.opset = editor.opset()
    this.floatType = floatType
    this.prefix = prefix
  }

  /** One node. Throws `operator_unavailable` where the model's opset does not have the operator. */
  nodes(
    opType: OpType,
    inputs: readonly Operand[],
    attributes: EmittedAttributes = {},
    outputs = 1,
  ): readonly ValueName[] {
    if (sinceVersion({ opType, domain: '' }, this.opset) === undefined) throw this.lacks(opType)
    const given = Object.entries(attributes).filter(
      (entry): entry is [string, Attribute] => entry[1] !== undefined,
    )
    const hint = `${this.prefix}${opType}`
    return this.editor.addNode({
      opType,
      name: hint,
      inputs: withoutTrailingGaps(inputs.map((input) => this.value(input))),
      outputs: Array.from({ length: outputs }, () => this.editor.uniqueName(`${hint}_output`)),
      attributes: new Map(given),
    }).outputs
  }

  /** A node with one output. */
  node(opType: OpType, inputs: readonly Operand[], attributes: EmittedAttributes = {}): ValueName {
    return this.nodes(opType, inputs, attributes)[0]!
  }

  value(operand: Operand): ValueName {
    return typeof operand === 'number' ? this.scalar(operand) : operand
  }

  constant(tensor: Tensor, hint = 'constant'): ValueName {
    return this.editor.addInitializer(`${this.prefix}${hint}`, tensor)
  }

  scalar(value: number, dataType = this.floatType): ValueName {
    return this.once(`${dataType} ${Object.is(value, -0) ? '-0' : value}`, () =>
      this.constant(
        isInteger(dataType)
          ? tensorFromInts(dataType, [], [value])
          : tensorFromFloats(dataType, [], Float32Array.of(value)),
        'scalar',
      ),
    )
  }

  /** A list of the emitter's `floatType`. */
  floats(values: readonly number[]): ValueName {
    return this.once(`floats ${values.join()}`, () =>
      this.constant(
        tensorFromFloats(this.floatType, [values.length], Float32Array.from(values)),
        'floats',
      ),
    )
  }

  /** A list of int64: axes, shapes, indices. */
  ints(values: readonly number[]): ValueName {
    return this.once(`ints ${values.join()}`, () =>
      this.constant(tensorFromInts('int64', [values.length], values), 'ints'),
    )
  }

  /** A list of int64 that is a value already, or is to become one. */
  intsOf(values: ValueName | readonly number[]): ValueName {
    return typeof values === 'string' ? values : this.ints(values)
  }

  lacks(what: string, since?: number) {
    const needs = since === undefined ? '' : `: it needs opset ${since}`
    return errors.operator_unavailable(`opset ${this.opset} has no ${what}${needs}`, {
      details: { opset: this.opset },
    })
  }

  private once(key: string, make: () => ValueName): ValueName {
    const known = this.constants.get(key)
    if (known !== undefined) return known
    const made = make()
    this.constants.set(key, made)
    return made
  }
}

function isInteger(dataType: DataType): boolean {
  return /^u?int|^bool/.test(dataType)
}

/** Inputs that are left out at the end are not written. */
function withoutTrailingGaps(inputs: readonly ValueName[]): readonly ValueName[] {
  return inputs.slice(0, inputs.findLastIndex((input) => input !== '') + 1)
}
