// How a parameter of a request is described. The same description checks requests, fills in
// defaults, gives the parsed value its type and becomes the JSON schema of the HTTP contract, so these
// cannot drift apart.
import type { Form } from './form.js'

interface Described {
  readonly description: string
  /** Left out, it stays out. A parameter that is not optional and has no default is required. */
  readonly optional?: true
}

export interface BooleanSpec extends Described {
  readonly type: 'boolean'
  readonly default?: boolean
}

/** One of the listed JSON scalars. */
export interface ChoiceSpec extends Described {
  readonly type: 'choice'
  readonly choices: readonly (string | number | boolean)[]
  readonly default?: string | number | boolean
}

/** From one value to another, as a step inside `repeat` may ask for. */
export type Range = {
  readonly from: number
  readonly to: number
}

export interface NumberSpec extends Described {
  readonly type: 'integer' | 'number'
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly default?: number
  /** What a step inside `repeat` walks where the parameter is left out. */
  readonly defaultRange?: Range
  /**
   * Which way a step goes further in the rounds of `repeat`: the other way nothing is left to do, since
   * a round goes on from the last that held. Absent: both ways.
   */
  readonly furtherBy?: 'rising' | 'falling'
  /** Which of the other parameters, as given, take the place of this one: it has no default then. */
  readonly unless?: (given: Readonly<Record<string, unknown>>) => boolean
}

export interface StringSpec extends Described {
  readonly type: 'string'
  readonly minLength: number
  readonly maxLength: number
  readonly default?: string
}

/** The id of a resource. Whether it exists is found out later, and so is whether it looks like one. */
export interface IdSpec extends Described {
  readonly type: 'id'
  readonly prefix: string
}

export interface StringListSpec extends Described {
  readonly type: 'string_list'
  /** Only these, where they are closed. */
  readonly choices?: readonly string[]
  readonly default: readonly string[]
}

/** Any names, each with a string. */
export interface MapSpec extends Described {
  readonly type: 'map'
  readonly maxEntries: number
  readonly maxLength: number
}

export interface GroupSpec extends Described {
  readonly type: 'group'
  readonly parameters: ParameterTable
}

/** Groups of parameters, one or more. */
export interface ListSpec extends Described {
  readonly type: 'list'
  readonly maxItems: number
  readonly parameters: ParameterTable
}

/** A list of steps, each a row of the table. Ranged: numbers in them may be ranges. */
export interface StepsSpec extends Described {
  readonly type: 'steps'
  readonly table: StepTable
  readonly ranged: boolean
  readonly maxItems: number
}

/** What to do to the model. */
export interface RecipeSpec extends Described {
  readonly type: 'recipe'
  readonly parameters: { readonly steps: StepsSpec }
}

/** What stands for itself, and for nothing below it. */
export type ScalarSpec =
  BooleanSpec | ChoiceSpec | NumberSpec | StringSpec | IdSpec | StringListSpec

export type ParameterSpec = ScalarSpec | MapSpec | GroupSpec | ListSpec | StepsSpec | RecipeSpec

export type ParameterTable = Readonly<Record<string, ParameterSpec>>

/** Parameters that exclude each other although each is valid alone. */
export interface Contradiction {
  /** The parameter to change. */
  readonly parameter: string
  readonly detail: string
}

/** A row of the table of steps. */
export interface StepSpec {
  readonly description: string
  /** The forms of a model that the step can start from. */
  readonly takes: readonly Form[]
  /** The form that it leaves behind; `same`: the one it was given. */
  readonly gives: Form | 'same'
  /** It only stores or zeroes weights: a model in float16 is left in it, and not widened before. */
  readonly keepsFloat16?: true
  /** What can become of a layer in the step, besides that it is left as it is. */
  readonly makes: readonly string[]
  readonly parameters: ParameterTable
  /** Which constraint of the request the step cannot do without. */
  readonly needsConstraint?: 'max_drop'
  /** Parameters that say how far the step went: reports name them beside it. */
  readonly shown?: readonly string[]
  contradictions?(values: object): readonly Contradiction[]
}

export type StepTable = Readonly<Record<string, StepSpec>>
