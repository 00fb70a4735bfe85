import { short } from '../../format.js'
import { code, html } from '../markup.js'
import { plural, type Section, table } from './section.js'

export const dataQuality: Section = {
  id: 'data',
  title: 'Calibration data',
  render: ({ data_quality: quality }) => {
    if (quality === undefined) return null
    const figure = (value: number | null) => (value === null ? '' : short(value))
    return html`<p>${plural(quality.samples, 'sample')} looked at.</p>
      ${table(
        [
          { label: 'input' },
          ...['least', 'greatest', 'mean', 'deviation'].map((label) => ({ label, numeric: true })),
          { label: 'duplicates', numeric: true },
          { label: 'constant', numeric: true },
        ],
        quality.inputs.map(({ name, min, max, mean, std, duplicates, constant }) => ({
          cells: [
            code(name),
            ...[min, max, mean, std].map(figure),
            duplicates,
            constant ? 'yes' : 'no',
          ],
        })),
      )}
      ${
        quality.diagnostics.length === 0
          ? html`<p class="good">Nothing odd was found.</p>`
          : html`<ul class="notes">
              ${quality.diagnostics.map(({ message }) => html`<li>${message}</li>`)}
            </ul>`
      }`
  },
}
