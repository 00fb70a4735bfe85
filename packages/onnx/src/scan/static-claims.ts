/**
 * Tensors that a node would make out of a stated shape: `ConstantOfShape` of [2^34] is 90 bytes of
 * file and 64 GiB of memory. Where the shape is a constant, the claim is checked here; where it is
 * computed, the engine's memory limit holds.
 */
import { opRow, type OpTable } from '@pare/ops'

import type { ElementType } from './element-types.js'
import { storedBytes } from './element-types.js'
import type { ScanContext } from './scan-context.js'
import { checkClaim } from './scan-tensor.js'
import type { ConstantScope, ShapeClaim, TensorFacts } from './shape-claim.js'

const FLOAT32_BITS = 32n

type Elements = (claim: ShapeClaim) => bigint | undefined

const windowLength: Elements = (claim) => ints(claim, 0)?.[0]
const randomShape: Elements = (claim) => product(claim.shape)

const CLAIMED_ELEMENTS: OpTable<Elements> = {
  BlackmanWindow: windowLength,
  ConstantOfShape: (claim) => product(ints(claim, 0)),
  Expand: (claim) => product(ints(claim, 1)),
  HammingWindow: windowLength,
  HannWindow: windowLength,
  OneHot: (claim) => times(ints(claim, 1)?.[0], constant(claim, 0)?.elements),
  Pad: paddedElements,
  RandomNormal: randomShape,
  RandomUniform: randomShape,
  Range: rangeLength,
  Resize: (claim) => product(ints(claim, 3)),
  Tile: (claim) => times(product(ints(claim, 1)), constant(claim, 0)?.elements),
}

export function makesShape(opType: string): boolean {
  return opRow(CLAIMED_ELEMENTS, { opType, domain: '' }) !== undefined
}

export function checkStaticClaims(context: ScanContext): void {
  for (const claim of context.claims) {
    const elements = opRow(CLAIMED_ELEMENTS, { opType: claim.opType, domain: '' })?.(claim)
    if (elements === undefined || elements <= 0n) continue
    const known = claim.elementType ?? constant(claim, 0)?.elementType
    const isData = claim.opType === 'Expand' || claim.opType === 'Tile' || claim.opType === 'Pad'
    const bytes =
      claim.elementType !== undefined || (isData && known !== undefined)
        ? storedBytes(known as ElementType, elements)
        : (elements * FLOAT32_BITS) / 8n
    checkClaim(context, claim.place, bytes)
  }
}

function constant(claim: ShapeClaim, input: number): TensorFacts | undefined {
  const name = claim.inputs[input]
  if (name === undefined || name === '') return undefined
  for (let scope: ConstantScope | undefined = claim.scope; scope; scope = scope.parent) {
    const found = scope.constants.get(name)
    if (found !== undefined) return found
  }
  return undefined
}

function ints(claim: ShapeClaim, input: number): readonly bigint[] | undefined {
  return constant(claim, input)?.ints
}

function product(values: readonly bigint[] | undefined): bigint | undefined {
  return values?.reduce((total, value) => total * value, 1n)
}

/** The second factor is 1 where nothing is known about it. */
function times(value: bigint | undefined, factor: bigint | undefined): bigint | undefined {
  return value === undefined ? undefined : value * (factor ?? 1n)
}

function rangeLength(claim: ShapeClaim): bigint | undefined {
  const [start, limit, delta] = [0, 1, 2].map((input) => ints(claim, input)?.[0])
  if (start === undefined || limit === undefined || delta === undefined || delta === 0n) {
    return undefined
  }
  return (limit - start) / delta
}

/** Begin and end pads of each axis around an input of known shape, or around one element. */
function paddedElements(claim: ShapeClaim): bigint | undefined {
  const pads = ints(claim, 1)
  if (pads === undefined) return undefined
  const rank = Math.floor(pads.length / 2)
  const dims = constant(claim, 0)?.dims
  return product(
    Array.from({ length: rank }, (_, axis) => {
      const padded = (dims?.[axis] ?? 1n) + (pads[axis] ?? 0n) + (pads[axis + rank] ?? 0n)
      return padded > 0n ? padded : 0n
    }),
  )
}
