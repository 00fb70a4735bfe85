// A float32 value of the original may exist in two types now: as it is made, and as a copy through
// a Cast for the readers that differ. Here stands which versions there are and what they are called.
import { editGraph, type Model } from '@pare/graph'
import type { NarrowType } from '@pare/recipe'

import type { Width } from './fewest-casts.js'
import { type Scope, type ScopedValue, walkScopes } from './scope.js'

// Rules of names:
// 1. A graph output's name belongs to the version that the output shows.
// 2. Otherwise the version that is made keeps the name, and the copy gets a fresh one.
// 3. A Cast that would make a version which its source already has is left out: no chains.
export class ValueVersions {
  readonly narrowType: NarrowType
  private readonly names = new Map<ScopedValue, Map<Width, string>>()
  private readonly aliases = new Map<ScopedValue, Map<Width | 'same', ScopedValue>>()

  constructor(model: Model, root: Scope, narrowType: NarrowType) {
    this.narrowType = narrowType
    const editor = editGraph(model)
    const scopes = [...walkScopes(root)]
    for (const scope of scopes) {
      for (const value of scope.values.values()) {
        this.names.set(
          value,
          this.chooseNames(value, root, (hint) => editor.uniqueName(hint)),
        )
      }
    }
    for (const scope of scopes) this.findAliases(scope)
  }

  /** The versions of a float32 value that the converted model has; the made one first. */
  widths(value: ScopedValue): readonly Width[] {
    return [...this.names.get(value)!.keys()]
  }

  has(value: ScopedValue, width: Width): boolean {
    return this.names.get(value)!.has(width)
  }

  dataType(width: Width): 'float32' | NarrowType {
    return width === 'wide' ? 'float32' : this.narrowType
  }

  /** The name of a version; of the value itself where it was no float32. */
  name(value: ScopedValue, width?: Width): string {
    if (value.type !== 'float32') {
      const alias = this.aliases.get(value)?.get('same')
      if (alias === undefined) return value.name
      return this.name(alias, alias.type === 'float32' ? 'narrow' : undefined)
    }
    const chosen = width ?? this.widths(value)[0]!
    const alias = this.aliases.get(value)?.get(chosen)
    if (alias !== undefined) return this.name(alias, chosen)
    return this.names.get(value)!.get(chosen)!
  }

  /** Whether the version is another value's, so that nothing has to make it. */
  isAlias(value: ScopedValue, width: Width | 'same'): boolean {
    return this.aliases.get(value)?.has(width) ?? false
  }

  private chooseNames(
    value: ScopedValue,
    root: Scope,
    unique: (hint: string) => string,
  ): Map<Width, string> {
    const { name, type, readers, origin, shown } = value
    if (type !== 'float32') return new Map()
    const read = new Set([...readers].map((reader) => reader.width))
    const made = origin?.width ?? (read.has('wide') || read.size === 0 ? 'wide' : 'narrow')
    const widths = [made, ...[...read].filter((width) => width !== made)]
    const owner = value.scope === root && shown !== undefined ? shown.width : made
    return new Map(
      widths.map((width) => [
        width,
        width === owner ? name : unique(`${name}_${this.dataType(width)}`),
      ]),
    )
  }

  private findAliases(scope: Scope): void {
    for (const { castOf: source, outputs } of scope.nodes) {
      const [result] = outputs
      if (source === undefined || result === undefined) continue
      // A body must make what it gives; a graph output must have its name.
      const isShown = scope.outputs.some(({ value }) => value === result)
      if (isShown) continue
      const aliases = new Map<Width | 'same', ScopedValue>()
      if (result.type !== 'float32') {
        if (this.providesNarrow(source, result.type)) aliases.set('same', source)
      } else {
        for (const width of this.widths(result)) {
          if (this.provides(source, width)) aliases.set(width, source)
        }
      }
      this.aliases.set(result, aliases)
    }
  }

  private provides(source: ScopedValue, width: Width): boolean {
    if (source.type === 'float32') return this.has(source, width)
    return source.type === this.dataType(width)
  }

  private providesNarrow(source: ScopedValue, type: string): boolean {
    return type === this.narrowType && this.provides(source, 'narrow')
  }
}
