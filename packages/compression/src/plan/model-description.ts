/** What `inspect_model` learns of an upload: shown by the API and used to check job requests. */
export type ModelDescription = {
  readonly inputs: readonly ValueSummary[]
  readonly outputs: readonly ValueSummary[]
  readonly ir_version: number
  readonly opset_imports: readonly { readonly domain: string; readonly version: number }[]
  readonly producer: string
  /** Elements of all initializers. */
  readonly parameters: number
  readonly nodes: number
  readonly op_types: Readonly<Record<string, number>>
  /** Bytes of the canonical file. */
  readonly size_bytes: number
  /** Whether it ran on made-up input; shapes that depend on real data may prevent that. */
  readonly trial_run: { readonly ok: boolean; readonly detail: string }
}

export type ValueSummary = {
  readonly name: string
  readonly data_type: string
  /** A number is fixed, a string a named size, null an unknown one; absent: unknown rank. */
  readonly shape?: readonly (number | string | null)[]
}
