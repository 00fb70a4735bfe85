// Upsample and Resize 10 compute coordinates as x / scale (asymmetric) and, for nearest, round down
// when they enlarge and up when they shrink; Resize 11 has an attribute for each.
import { attr, stringAttribute } from '@pare/graph'
import { tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { refuse, type Upgrade, withAttributes } from './upgrade.js'

/** Resize 11: inputs are X, roi, scales; the old coordinates are written out. */
export const resizeToCoordinates: Upgrade = (node, context) => {
  const [x = '', scales = ''] = node.inputs
  const roi = context.addConstant(
    `${node.outputs[0] ?? 'resize'}_roi`,
    tensorFromFloat32([0], new Float32Array(0)),
  )
  const asymmetric = withAttributes(node, {
    coordinate_transformation_mode: attr.string('asymmetric'),
  })
  const inputs = [x, roi, scales]
  if (stringAttribute(node, 'mode', 'nearest') !== 'nearest') return [{ ...asymmetric, inputs }]
  const constant = context.constant(scales)
  if (constant === undefined) return refuse('its scales are not constant, so rounding is unknown')
  const values = [...toFloat32(constant)]
  const enlarges = values.every((scale) => scale >= 1)
  if (!enlarges && values.some((scale) => scale > 1)) {
    return refuse('it enlarges one axis and shrinks another')
  }
  const rounded = withAttributes(asymmetric, {
    nearest_mode: attr.string(enlarges ? 'floor' : 'ceil'),
  })
  return [{ ...rounded, inputs }]
}

/** Upsample is Resize 10 by another name. */
export const upsampleToResize: Upgrade = (node) => [{ ...node, opType: 'Resize' }]

/** Resize 13 has no tf_half_pixel_for_nn any more. */
export const resizeWithoutTfHalfPixel: Upgrade = (node) =>
  stringAttribute(node, 'coordinate_transformation_mode') === 'tf_half_pixel_for_nn'
    ? refuse('its coordinates are tf_half_pixel_for_nn, which opset 13 no longer has')
    : [node]
