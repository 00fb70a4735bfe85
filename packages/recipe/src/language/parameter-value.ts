// The types of parsed values, derived from their descriptions.
import type { Range } from './parameter.js'

type Plain<Spec> = Spec extends { readonly type: 'boolean' }
  ? boolean
  : Spec extends { readonly type: 'choice'; readonly choices: readonly (infer Choice)[] }
    ? Choice
    : Spec extends { readonly type: 'integer' | 'number' }
      ? number
      : Spec extends { readonly type: 'string' | 'id' }
        ? string
        : Spec extends { readonly type: 'string_list'; readonly choices: readonly (infer Choice)[] }
          ? readonly Choice[]
          : Spec extends { readonly type: 'string_list' }
            ? readonly string[]
            : Spec extends { readonly type: 'map' }
              ? Readonly<Record<string, string>>
              : never

/** Ranged: a number may be a range. */
type ParameterValue<Spec, Ranged extends boolean> = Spec extends {
  readonly type: 'group' | 'recipe'
  readonly parameters: infer Group
}
  ? ParameterValues<Group, Ranged>
  : Spec extends { readonly type: 'list'; readonly parameters: infer Item }
    ? readonly ParameterValues<Item, Ranged>[]
    : Spec extends { readonly type: 'steps'; readonly table: infer Table; readonly ranged: infer R }
      ? readonly StepValue<Table, R extends true ? true : false>[]
      : Spec extends { readonly type: 'integer' | 'number' }
        ? Ranged extends true
          ? number | Range
          : number
        : Plain<Spec>

type OptionalName<Table> = {
  [Name in keyof Table]: Table[Name] extends
    { readonly optional: true } | { readonly unless: unknown }
    ? Name
    : never
}[keyof Table]

/** A parsed table: every parameter present with its default, but for those that are optional. */
export type ParameterValues<Table, Ranged extends boolean = false> = {
  readonly [Name in Exclude<keyof Table, OptionalName<Table>>]: ParameterValue<Table[Name], Ranged>
} & {
  readonly [Name in OptionalName<Table>]?: ParameterValue<Table[Name], Ranged>
}

/** A parsed step: one of the rows of a table of steps. */
export type StepValue<Table, Ranged extends boolean = false> = {
  [Type in keyof Table]: Table[Type] extends { readonly parameters: infer Parameters }
    ? { readonly type: Type } & ParameterValues<Parameters, Ranged>
    : never
}[keyof Table]
