/** How often a stage takes an input of a role; `many` come as `role/label`, in the plan's order. */
export type InputRule = 'one' | 'optional' | 'many'

/** What a row of the catalogue says of a kind of stage, besides the type of its parameters. */
export interface StageSpec {
  readonly inputs: Readonly<Record<string, InputRule>>
  /** Roles of the files it may write. */
  readonly outputs: readonly string[]
  /** Runs sessions on the device of the job's target: another device is another result. */
  readonly usesDevice: boolean
  readonly module: () => Promise<object>
}
