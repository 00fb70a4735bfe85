// Text and markup are different things: whatever is put into a template is escaped, unless it came
// out of one. Names in a report come from other people's models.

/** Markup that is safe to put into a page. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Content = Markup | string | number | null | undefined | readonly Content[]

/** Attributes are always written in double quotes in templates. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  const text = parts.map((part, i) => (i === 0 ? part : textOf(contents[i - 1]) + part))
  return new Markup(text.join(''))
}

export const NOTHING = new Markup('')

function textOf(content: Content): string {
  if (content instanceof Markup) return content.text
  if (content === null || content === undefined) return ''
  if (typeof content === 'object') return content.map(textOf).join('')
  return escapeText(String(content))
}

/**
 * Characters that would be read as markup, and those that deceive the eye: control characters, and
 * those that turn the direction of what follows.
 */
function escapeText(text: string): string {
  return text
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(UNSEEN, '\uFFFD')
    .replace(/[&<>"'`]/g, (character) => ENTITIES[character]!)
}

const UNSEEN = /[\0-\x08\x0B-\x1F\x7F-\x9F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/** A name out of a model. */
export function code(name: string): Markup {
  return html`<code>${shorten(name)}</code>`
}

const LONGEST = 200

function shorten(name: string): string {
  return name.length <= LONGEST ? name : `${name.slice(0, LONGEST)}…`
}
