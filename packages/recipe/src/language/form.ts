/**
 * What may still be done to a model:
 * - `trainable`: float32, BatchNormalization in place
 * - `folded`: float32, BatchNormalization folded into the layers before it
 * - `integer`: computes in integers
 * - `narrow`: weights of few bits, arithmetic in float
 * - `float16`: float16 or bfloat16
 */
export const FORMS = ['trainable', 'folded', 'integer', 'narrow', 'float16'] as const
export type Form = (typeof FORMS)[number]

/** As models are uploaded. */
export const FIRST_FORM: Form = 'trainable'
