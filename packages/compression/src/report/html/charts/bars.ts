// Horizontal bars: text is HTML and stays readable at any width, only the bars stretch.
import { type Content, html, type Markup } from '../markup.js'

export interface Bar {
  readonly label: Content
  /** What the bar says, in words, to those who do not see it. */
  readonly title: string
  readonly value: Content
  /** 0 to 1; one bar under the other. */
  readonly parts: readonly { readonly share: number; readonly kind: BarKind }[]
}

/** `before` is the original, `after` the result. */
export type BarKind = 'before' | 'after' | 'bad' | 'good'

const CLASSES: Readonly<Record<BarKind, string>> = {
  before: 'before',
  after: 'after',
  bad: 'badfill',
  good: 'goodfill',
}

export function bars(rows: readonly Bar[]): Markup {
  return html`<div class="bars">${rows.map(barRow)}</div>`
}

function barRow({ label, title, value, parts }: Bar): Markup {
  return html`<div class="bar">
    <span class="label">${label}</span>
    ${barsOnly(title, parts)}
    <span class="value">${value}</span>
  </div>`
}

/** The bars alone, over the width of whatever is around them. */
export function barsOnly(title: string, parts: Bar['parts']): Markup {
  const height = 100 / parts.length
  return html`<svg class="h${parts.length}" role="img">
    <title>${title}</title>
    ${parts.map(
      ({ share, kind }, at) =>
        html`<rect class="track" y="${at * height}%" width="100%" height="${height - 12}%" rx="2" />
          <rect
            class="${CLASSES[kind]}"
            y="${at * height}%"
            width="${widthOf(share)}"
            height="${height - 12}%"
            rx="2"
          />`,
    )}
  </svg>`
}

/** What is not nothing stays visible. */
function widthOf(share: number): string {
  if (!(share > 0)) return '0'
  return `${Math.max(0.4, Math.min(100, share * 100)).toFixed(2)}%`
}

export function legend(entries: readonly (readonly [BarKind, string])[]): Markup {
  return html`<div class="legend">
    ${entries.map(
      ([kind, label]) =>
        html`<span
          ><svg><rect class="${CLASSES[kind]}" width="12" height="12" rx="2" /></svg>${label}</span
        >`,
    )}
  </div>`
}

export const BEFORE_AFTER = [
  ['before', 'original'],
  ['after', 'result'],
] as const satisfies Parameters<typeof legend>[0]
