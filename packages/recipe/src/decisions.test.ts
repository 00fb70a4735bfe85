import { expect, it } from 'vitest'

import { REASONS, severityOf, whyNot } from './decisions.js'

it('has a sentence for every reason, in the order of the codes', () => {
  const codes = Object.keys(REASONS)
  expect(codes).toEqual(codes.toSorted())
  for (const { sentence } of Object.values(REASONS))
    expect(sentence).toMatch(/^[a-z][^.]{10,}[^.]$/)
})

it('says what is known of the layer, else what the reason means', () => {
  expect(whyNot('gemm_form', 'its weight is a vector').message).toBe('its weight is a vector')
  expect(whyNot('output_float').message).toBe('its output is float')
  expect(severityOf('output_float')).toBe('info')
  expect(severityOf('opset_too_old')).toBe('warning')
})
