/**
 * Where in a model something is, for error messages: `graph.node[12] 'Conv_3' → attribute 'value'`.
 * Names are looked up in the bytes only when a message is made, since most places never fail.
 */
import type { ByteSource } from './byte-source.js'
import { type ByteRange, WireReader } from './wire-reader.js'

export interface Place {
  readonly parent?: Place
  readonly label: string
  /** Place in a list, shown as `label[index]`. */
  readonly index?: number
  /** How the label joins its parent. */
  readonly joint: '.' | ' → '
  readonly range: ByteRange
  /** The number of the field that holds the name, where the message has one. */
  readonly nameField?: number
  /** Where the name stands, if not in `range`: errors about a part show the whole. */
  readonly nameRange?: ByteRange
}

const MAX_SHOWN = 64

export function describePlace(place: Place, source: ByteSource): string {
  const name =
    place.nameField === undefined
      ? ''
      : peekText(source, place.nameRange ?? place.range, place.nameField)
  const label = place.index === undefined ? place.label : `${place.label}[${place.index}]`
  const own = name === '' ? label : `${label} '${name}'`
  return place.parent === undefined || place.parent.label === ''
    ? own
    : `${describePlace(place.parent, source)}${place.joint}${own}`
}

/** Text from a stranger's file, short and without anything a terminal or log would act upon. */
export function printable(text: string): string {
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/g, '?')
  return plain.length > MAX_SHOWN ? `${plain.slice(0, MAX_SHOWN)}…` : plain
}

/** The first length-delimited field of that number, or '' where the bytes do not allow it. */
function peekText(source: ByteSource, range: ByteRange, fieldNumber: number): string {
  const reader = new WireReader(source)
  reader.position = range.start
  try {
    while (reader.position < range.end) {
      reader.readVarint(range.end)
      const tag = reader.unsigned()
      const wire = tag % 8
      if (wire === 0) reader.readVarint(range.end)
      else if (wire === 1) reader.position += 8
      else if (wire === 5) reader.position += 4
      else if (wire === 2) {
        const payload = reader.readLength(range.end)
        if (Math.floor(tag / 8) === fieldNumber) return decode(reader, payload)
        reader.position = payload.end
      } else return ''
    }
  } catch {
    // The message that is being described is broken; its place is then shown without a name.
    return ''
  }
  return ''
}

function decode(reader: WireReader, payload: ByteRange): string {
  const end = Math.min(payload.end, payload.start + 4 * MAX_SHOWN)
  return printable(new TextDecoder().decode(reader.copy({ start: payload.start, end })))
}

/** An unnamed part of a place. */
export function partOf(place: Place, range: ByteRange): Place {
  return { ...place, range, nameRange: place.nameRange ?? place.range }
}

/** A place in a file of which nothing is known yet. */
export function rootPlace(size: number): Place {
  return { label: '', joint: '.', range: { start: 0, end: size } }
}
