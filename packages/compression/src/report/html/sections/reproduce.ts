import { code, html } from '../markup.js'
import type { Section } from './section.js'

export const reproduce: Section = {
  id: 'reproduce',
  title: 'How to repeat it',
  render: ({ reproduce: all }) => {
    const { processor, runtime } = all
    const hashes = (entries: Readonly<Record<string, string>>) =>
      Object.entries(entries).map(
        ([role, sha256]) =>
          html`<dt>${role}</dt>
            <dd>${code(sha256)}</dd>`,
      )
    return html`<p>
        The same model, data, recipe, seed and engine give the same bytes; figures of time depend on
        the machine.
      </p>
      <h3>Request</h3>
      <pre><code>${JSON.stringify(all.request, null, 2)}</code></pre>
      <h3>SHA-256 of what went in</h3>
      <dl>${hashes(all.inputs)}</dl>
      <h3>SHA-256 of what came out</h3>
      <dl>${hashes(all.outputs)}</dl>
      <h3>Where it ran</h3>
      <dl>
        <dt>engine</dt>
        <dd>${all.engine_version}</dd>
        <dt>runtime</dt>
        <dd>${runtime.name} ${runtime.version}</dd>
        <dt>seed</dt>
        <dd>${all.seed}</dd>
        <dt>device</dt>
        <dd>${all.device}, ${all.threads} ${all.threads === 1 ? 'thread' : 'threads'}</dd>
        <dt>processor</dt>
        <dd>
          ${processor.model} (${processor.architecture}, ${processor.logicalCores} logical cores)
        </dd>
        <dt>instructions</dt>
        <dd>${processor.instructionSets.join(' ')}</dd>
      </dl>`
  },
}
