/**
 * - `cut_off`: there is no directory where it should be;
 * - `damaged`: the archive as a whole contradicts itself, or is one part of several;
 * - `entry_refused`: one entry is what no upload may hold;
 * - `too_many_entries`: more than the limit;
 * - `zip64_refused`: it is too large, or has too many entries, for plain zip.
 */
export type ZipFaultKind =
  'cut_off' | 'damaged' | 'entry_refused' | 'too_many_entries' | 'zip64_refused'

/** Why an archive is not read. Callers give it a code of theirs; it does not leave them. */
export class ZipFault extends Error {
  readonly kind: ZipFaultKind
  /** Name of the entry, as the archive has it. */
  readonly entry: string | undefined

  constructor(kind: ZipFaultKind, message: string, entry?: string) {
    super(message)
    this.kind = kind
    this.entry = entry
  }
}
