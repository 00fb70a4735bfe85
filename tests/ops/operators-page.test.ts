// docs/operators.md says of every operator what each table knows about it.
// `npm run docs:operators` writes it anew.
import { fileURLToPath } from 'node:url'

import { CHANNEL_TABLE } from '@pare/channels'
import {
  MICROSOFT_DOMAIN,
  MICROSOFT_OP_TYPES,
  NEWEST_OPSET,
  OP_VERSIONS,
  opFacts,
  type OpName,
  opRow,
  ownRow,
} from '@pare/ops'
import { DYNAMIC_DEFAULT_OP_TYPES, FLOAT16_BLOCKED_OPS } from '@pare/quantization'
import * as prettier from 'prettier'
import { describe, expect, it } from 'vitest'

import { KNOWN_DOMAINS } from '../../packages/onnx/src/scan/known-ops.js'
import { noOpTable } from '../../packages/passes/src/no-op-table.js'
import { upgradeTable } from '../../packages/passes/src/opset/upgrade-table.js'
import { dynamicRewriteTable } from '../../packages/quantization/src/dynamic/dynamic-rewrite-table.js'
import {
  float16SignatureTable,
  microsoftFloat16SignatureTable,
} from '../../packages/quantization/src/float16/float16-signature-table.js'
import { linearFormTable } from '../../packages/quantization/src/qoperator/linear-form-table.js'

const PAGE = fileURLToPath(new URL('../../docs/operators.md', import.meta.url))

interface Concern {
  readonly title: string
  readonly says: string
  /** The file with the table. */
  readonly table: string
  /** What the table knows about the operator, in a few words; empty for nothing. */
  readonly of: (operator: OpName) => string
}

const QUANTIZATION = 'packages/quantization/src'

const CONCERNS: readonly Concern[] = [
  {
    title: 'opsets',
    says: 'the versions in which its definition changed; the first is where it appeared',
    table: 'packages/ops/src/op-types/op-versions.ts',
    of: ({ opType }) => (ownRow(OP_VERSIONS, opType) ?? []).join(', '),
  },
  {
    title: 'family',
    says: 'what kind of operator it is, and for a layer the inputs with its weight and bias',
    table: 'packages/ops/src/op-table.ts, microsoft-op-table.ts',
    of: (operator) => {
      const { family = '', weightInput, biasInput } = opFacts(operator) ?? {}
      const inputs = [
        ...(weightInput === undefined ? [] : [`weight ${weightInput}`]),
        ...(biasInput === undefined ? [] : [`bias ${biasInput}`]),
      ]
      return inputs.length === 0 ? family : `${family}: ${inputs.join(', ')}`
    },
  },
  {
    title: '8 bits',
    says: 'between DequantizeLinear and QuantizeLinear onnxruntime computes it in integers (_computes_; _with float output_: even where its output is not quantized) or lets bytes pass from an opset on',
    table: 'packages/ops/src/op-table.ts',
    of: (operator) => {
      const { integerKernel, sharesQuantization } = opFacts(operator) ?? {}
      if (integerKernel === 'any_output') return 'computes, with float output'
      if (integerKernel === 'needs_output') return 'computes'
      return sharesQuantization === undefined ? '' : `pass from ${sharesQuantization}`
    },
  },
  {
    title: 'QOperator',
    says: 'there is an operator that computes it on integers, with scales as inputs',
    table: `${QUANTIZATION}/qoperator/linear-form-table.ts`,
    of: inTable(linearFormTable),
  },
  {
    title: 'dynamic',
    says: 'dynamic quantization rewrites it, by default or on request',
    table: `${QUANTIZATION}/dynamic/dynamic-rewrite-table.ts`,
    of: ({ opType, domain }) => {
      const key = domain === '' ? opType : `${domain}.${opType}`
      if (!Object.hasOwn(dynamicRewriteTable, key)) return ''
      const byDefault: readonly string[] = DYNAMIC_DEFAULT_OP_TYPES
      return byDefault.includes(opType) ? 'yes' : 'on request'
    },
  },
  {
    title: 'float16, bfloat16',
    says: 'the first opsets in which it takes these types; _blocked_: stays float32 by default',
    table: `${QUANTIZATION}/float16/float16-signature-table.ts, options.ts`,
    of: (operator) => narrowTypes(operator),
  },
  {
    title: 'channels',
    says: 'channels travel through it, so that units can be taken out, and with them _factors_ per channel (equalization, SmoothQuant)',
    table: 'packages/channels/src/channel-table.ts',
    of: (operator) => {
      const row = opRow(CHANNEL_TABLE, operator)
      if (row === undefined) return ''
      return row.scales === undefined ? 'yes' : 'yes, factors'
    },
  },
  {
    title: 'no-op',
    says: 'there are forms of it that hand their input on, and are removed',
    table: 'packages/passes/src/no-op-table.ts',
    of: inTable(noOpTable),
  },
  {
    title: 'opset rules',
    says: 'versions for which a node of an older opset has to be rewritten',
    table: 'packages/passes/src/opset/upgrade-table.ts',
    of: ({ opType, domain }) =>
      domain === '' ? Object.keys(ownRow(upgradeTable, opType) ?? {}).join(', ') : '',
  },
]

function inTable(table: object): Concern['of'] {
  return ({ opType, domain }) => (domain === '' && Object.hasOwn(table, opType) ? 'yes' : '')
}

function narrowTypes({ opType, domain }: OpName): string {
  const row =
    domain === ''
      ? ownRow<string>(float16SignatureTable, opType)
      : ownRow<string>(microsoftFloat16SignatureTable, opType)
  const changes = (row ?? '').split(' | ')
  const first = (flag: string) =>
    changes.find((change) => change.split(' ')[2]?.includes(flag))?.split(' ')[0] ?? '–'
  const opsets = `${first('h')}, ${first('b')}`
  if (opsets === '–, –') return ''
  const blocked: readonly string[] = FLOAT16_BLOCKED_OPS
  return domain === '' && blocked.includes(opType) ? `${opsets}, blocked` : opsets
}

function tableOf(
  names: readonly string[],
  domain: string,
  concerns: readonly Concern[],
): readonly string[] {
  return [
    `| operator | ${concerns.map(({ title }) => title).join(' | ')} |`,
    `|---|${'---|'.repeat(concerns.length)}`,
    ...names.map((opType) => {
      const cells = concerns.map((concern) => concern.of({ opType, domain }))
      return `| \`${opType}\` | ${cells.join(' | ')} |`
    }),
  ]
}

function acceptance(domain: string, names: readonly string[]): readonly string[] {
  const accepted = KNOWN_DOMAINS.get(domain)?.ops
  const listed = (isAccepted: boolean) =>
    names.filter((name) => accepted?.has(name) === isAccepted).map((name) => `\`${name}\``)
  return [listed(true).join(', '), listed(false).join(', ')]
}

async function render(): Promise<string> {
  const onnx = Object.keys(OP_VERSIONS)
  const withoutVersions = CONCERNS.slice(1)
  const known = MICROSOFT_OP_TYPES.filter((opType) =>
    withoutVersions.some(({ of }) => of({ opType, domain: MICROSOFT_DOMAIN }) !== ''),
  )
  const [accepted, refused] = acceptance(
    MICROSOFT_DOMAIN,
    MICROSOFT_OP_TYPES.filter((name) => !(known as readonly string[]).includes(name)),
  )
  const told = withoutVersions.filter(({ of }) =>
    known.some((opType) => of({ opType, domain: MICROSOFT_DOMAIN }) !== ''),
  )
  const lines = [
    '# Operators',
    '',
    `What is known about each operator, and where it is written down: of ai.onnx up to opset ${NEWEST_OPSET}, and of onnxruntime's own com.microsoft.`,
    'Generated from the tables by `npm run docs:operators`; a test keeps the page equal to them.',
    '',
    'The lists of operators are closed (`packages/ops/src/op-types`), and the tables are typed by them. Samples of every operator, which all tables are tested with, are in `packages/ops/src/testing/cases`.',
    '',
    '| column | says | table |',
    '|---|---|---|',
    ...CONCERNS.map(({ title, says, table }) => `| ${title} | ${says} | \`${table}\` |`),
    '',
    '## ai.onnx',
    '',
    `Uploads may use all of them but ${acceptance('', onnx)[1]!}.`,
    '',
    ...tableOf(onnx, '', CONCERNS),
    '',
    '## com.microsoft',
    '',
    ...tableOf(known, MICROSOFT_DOMAIN, told),
    '',
    `Uploads may also use these, about which no table says anything: ${accepted!}.`,
    '',
    `Uploads may not use (\`packages/onnx/src/scan/microsoft-upload-table.ts\`): ${refused!}.`,
  ]
  const options = await prettier.resolveConfig(PAGE)
  return prettier.format(lines.join('\n'), { ...options, parser: 'markdown' })
}

describe('the page of operators', () => {
  it('says what the tables say', async () => {
    await expect(await render()).toMatchFileSnapshot(PAGE)
  })
})
