/** Which operators a body uses: every one must be known, accepted and imported. */
import type { Body, OpUse } from './body.js'
import { INTERNAL_DOMAINS, KNOWN_DOMAINS } from './known-ops.js'
import { printable } from './place.js'
import { refuse, type ScanContext } from './scan-context.js'

/**
 * Checks the uses that are not calls of the model's own functions. `imports` are the model's: a
 * function that leaves a domain out means the model's version.
 */
export function checkOperators(
  context: ScanContext,
  body: Body,
  imports: ReadonlyMap<string, bigint>,
  functions: ReadonlyMap<string, Body>,
): void {
  for (const [key, use] of body.uses) {
    if (functions.has(key)) continue
    checkOperator(context, use)
    checkVersion(context, use, body.imports.get(use.domain) ?? imports.get(use.domain))
  }
}

function checkOperator(context: ScanContext, use: OpUse): void {
  const { domain, opType, first } = use
  const shown = printable(domain === '' ? opType : `${domain}.${opType}`)
  if (opType === 'EPContext') {
    throw refuse(context, 'ep_context', first, `operator ${shown} loads a precompiled blob`)
  }
  if (INTERNAL_DOMAINS.has(domain) || isDenied(context, domain)) {
    throw refuse(context, 'domain_not_allowed', first, `operator ${shown}`)
  }
  const known = KNOWN_DOMAINS.get(domain)
  if (known === undefined) {
    const reason = `operator ${shown} is neither a function of the model nor known to onnxruntime`
    throw refuse(context, 'custom_op', first, reason)
  }
  if (known.denied.has(opType)) {
    throw refuse(context, 'op_not_allowed', first, `operator ${shown}`)
  }
  if (!known.ops.has(opType)) throw refuse(context, 'unknown_op', first, `operator '${shown}'`)
}

function isDenied({ policy }: ScanContext, domain: string): boolean {
  if (domain === 'ai.onnx.ml') return policy.classicalMl === 'deny'
  return domain === 'com.microsoft' && policy.contribOps === 'deny'
}

function checkVersion(context: ScanContext, use: OpUse, version: bigint | undefined): void {
  const domain = use.domain === '' ? 'ai.onnx' : use.domain
  if (version === undefined) {
    throw refuse(context, 'opset_missing', use.first, `domain ${domain} is not imported`)
  }
  const { minOpset, maxOpset } = context.limits
  const [min, max] =
    use.domain === '' ? [minOpset, maxOpset] : [1, KNOWN_DOMAINS.get(use.domain)?.maxVersion ?? 1]
  if (version < BigInt(min) || version > BigInt(max)) {
    const reason = `${domain} version ${version} is outside ${min} to ${max}`
    throw refuse(context, 'opset_unsupported', use.first, reason)
  }
}
