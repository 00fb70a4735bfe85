// Model files that are broken, or that are sound ONNX and meant to do harm, and what must be said.
import { joinBytes, zip } from '@pare/datasets/testing'
import { attr, type Graph } from '@pare/graph'
import { model, type ModelBuilder, tensorValue } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { tensorFromInts } from '@pare/tensor'

import {
  bytes,
  externalTensor,
  functionBomb,
  int,
  modelBytes,
  nestedIf,
  node,
  RELU,
  tensor,
} from '../../packages/onnx/src/scan/testing.js'
import { modelFile } from './sound-files.js'

export interface HostileFile {
  readonly what: string
  readonly file: () => Uint8Array
  readonly query?: string
  readonly code: string
  /** Names the place, and where it is not plain from that, the remedy. */
  readonly says: RegExp
}

const sound = { inputs: ['x'], outputs: ['y'] }

/** A model of one node `op` from x to y. */
const oneNode = (op: string, domain: string) =>
  modelBytes({
    ...sound,
    nodes: [node({ op, domain, name: 'layer7', inputs: ['x'], outputs: ['y'] })],
    opsets: { '': 17, ...(domain === '' ? {} : { [domain]: 1 }) },
  })

const external = (entries: Readonly<Record<string, string>>) =>
  modelBytes({ ...sound, nodes: [RELU], initializers: [externalTensor('w', [4], entries)] })

/** 16 MB of zeros in a small archive, named as 16 GB of weights. */
function sharedBytes(): Uint8Array {
  const elements = 2 ** 22
  const initializers = Array.from({ length: 1000 }, (_, index) =>
    externalTensor(`w${index}`, [elements], { location: 'weights.bin' }),
  )
  return zip([
    { name: 'model.onnx', content: modelBytes({ ...sound, nodes: [RELU], initializers }) },
    { name: 'weights.bin', content: new Uint8Array(4 * elements), compressed: true },
  ])
}

export const HOSTILE_MODELS: readonly HostileFile[] = [
  {
    what: 'text',
    file: () => new TextEncoder().encode('PK? No: this is a letter, not a model.\n'.repeat(20)),
    code: 'not_onnx',
    says: /ONNX/,
  },
  {
    what: 'a picture',
    file: () => Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000', 'hex'),
    code: 'not_onnx',
    says: /ONNX/,
  },
  {
    what: 'a model cut off in the middle',
    file: () => modelFile().subarray(0, 1500),
    code: 'model_truncated',
    says: /ends in the middle/,
  },
  {
    what: 'an operator that ONNX does not have',
    file: () => oneNode('Frobnicate', ''),
    code: 'unknown_op',
    says: /layer7.*Frobnicate|Frobnicate.*layer7/,
  },
  {
    what: 'an operator of a custom library',
    file: () => oneNode('FlashAttention', 'com.acme.kernels'),
    code: 'custom_op',
    says: /com\.acme\.kernels/,
  },
  {
    what: 'a domain that nobody imports',
    file: () =>
      modelBytes({
        ...sound,
        nodes: [node({ op: 'Gelu', domain: 'com.microsoft', inputs: ['x'], outputs: ['y'] })],
      }),
    code: 'opset_missing',
    says: /com\.microsoft/,
  },
  {
    what: 'an operator set from the future',
    file: () => modelBytes({ ...sound, nodes: [RELU], opsets: { '': 999 } }),
    code: 'opset_unsupported',
    says: /999/,
  },
  {
    what: 'functions that double twenty times',
    file: () => functionBomb(20),
    code: 'function_bomb',
    says: /nodes/,
  },
  {
    what: 'If within If, ninety deep',
    file: () => nestedIf(90),
    code: 'model_too_deep',
    says: /32/,
  },
  {
    what: 'external data outside of the upload',
    file: () => external({ location: '../../../etc/passwd' }),
    code: 'external_data_location',
    says: /initializer/,
  },
  {
    what: 'external data at an address in memory',
    file: () => external({ location: '*/_ORT_MEM_ADDR_/*', offset: '140000000', length: '16' }),
    code: 'external_data_in_memory',
    says: /initializer/,
  },
  {
    what: 'external data that did not come along',
    file: () => external({ location: 'weights.bin' }),
    code: 'external_data_missing',
    says: /weights\.bin.*zip|zip.*weights\.bin/,
  },
  {
    what: 'a tensor larger than any file',
    file: () =>
      modelBytes({
        ...sound,
        nodes: [RELU],
        initializers: [tensor({ name: 'w', dims: [2n ** 62n, 4], raw: new Uint8Array(4) })],
      }),
    code: 'tensor_dims_invalid',
    says: /initializer/,
  },
  {
    what: 'a byte too many',
    file: () => joinBytes([modelFile(), Uint8Array.of(0)]),
    code: 'trailing_garbage',
    says: /behind a whole model.*byte \d+/,
  },
  {
    what: 'a zip archive that leaves its folder',
    file: () => zip([{ name: '../model.onnx', content: modelFile() }]),
    code: 'bundle_entry_refused',
    says: /\.\.\/model\.onnx/,
  },
  {
    what: 'a zip archive without a model',
    file: () => zip([{ name: 'readme.txt', content: Uint8Array.of(65) }]),
    code: 'bundle_model_missing',
    says: /\.onnx/,
  },
  {
    what: 'a zip archive that inflates a thousandfold',
    file: () =>
      zip([
        { name: 'model.onnx', content: modelFile() },
        { name: 'weights.bin', content: new Uint8Array(2 ** 27), compressed: true },
      ]),
    code: 'bundle_inflation_refused',
    says: /weights\.bin/,
  },
  {
    what: 'an archive whose weights end before a tensor does',
    file: () =>
      zip([
        {
          name: 'model.onnx',
          content: external({ location: 'weights.bin', offset: '4294967296', length: '16' }),
        },
        { name: 'weights.bin', content: new Uint8Array(64) },
      ]),
    code: 'external_data_range',
    says: /initializer.*weights\.bin/,
  },
  {
    what: 'an archive of weights that were changed on the way',
    file: () =>
      zip([
        { name: 'model.onnx', content: external({ location: 'weights.bin', length: '16' }) },
        { name: 'weights.bin', content: new Uint8Array(64), claims: { crc32: 1 } },
      ]),
    code: 'bundle_archive_invalid',
    says: /weights\.bin.*checksum/,
  },
  {
    what: 'an archive that keeps its sizes where there is nothing',
    file: () =>
      zip([
        { name: 'model.onnx', content: external({ location: 'weights.bin', length: '16' }) },
        {
          name: 'weights.bin',
          content: new Uint8Array(64),
          claims: { inflatedBytes: 0xffff_ffff, compressedBytes: 0xffff_ffff },
        },
      ]),
    code: 'bundle_archive_invalid',
    says: /size/,
  },
  {
    what: 'a thousand tensors on the same bytes',
    file: sharedBytes,
    code: 'tensors_too_large',
    says: /w\d+/,
  },
  {
    what: 'a cycle',
    file: () =>
      encodeModel(
        model()
          .input('x', 'float32', [1])
          .node('Add', ['x', 'b'], ['a'])
          .node('Relu', ['a'], ['b'])
          .output('b', 'float32', [1])
          .build(),
      ),
    code: 'graph_invalid',
    says: /"b"/,
  },
  {
    what: 'no graph',
    file: () => joinBytes([int(1, 8), bytes(8, [bytes(1, ''), int(2, 17)])]),
    code: 'graph_missing',
    says: /graph/,
  },
]

/** Goes round for ever, without a node that costs anything. */
export function endlessLoop(): Uint8Array {
  return encodeModel(
    looping(model({ opset: 17 }).input('x', 'float32', ['n', 1]), 'always')
      .initializer('always', tensorFromInts('int64', [], [2n ** 63n - 1n]))
      .build(),
  )
}

/** Goes round as often as the data says: not at all for what an inspection makes up. */
export function loopByData(): Uint8Array {
  return encodeModel(
    looping(
      model({ opset: 17 })
        .input('x', 'float32', ['n', 1])
        .initializer('many', tensorFromInts('int64', [], [2n ** 53n]))
        .node('ReduceMax', ['x'], ['largest'], { keepdims: 0 })
        .node('Cast', ['largest'], ['whole'], { to: 7 })
        .node('Mul', ['whole', 'many'], ['rounds']),
      'rounds',
    ).build(),
  )
}

function looping(builder: ModelBuilder, rounds: string): ModelBuilder {
  const body: Graph = {
    ...model().node('Identity', ['go'], ['on']).node('Sin', ['value'], ['next']).graph(),
    inputs: [
      tensorValue('round', 'int64', []),
      tensorValue('go', 'bool', []),
      tensorValue('value', 'float32'),
    ],
    outputs: [tensorValue('on', 'bool', []), tensorValue('next', 'float32')],
  }
  return builder
    .initializer('yes', tensorFromBool())
    .output('y', 'float32', ['n', 1])
    .node('Loop', [rounds, 'yes', 'x'], ['y'], { body: attr.graph(body) })
}

const tensorFromBool = () =>
  ({ dataType: 'bool', dims: [], data: { kind: 'bytes', bytes: Uint8Array.of(1) } }) as const

/** Makes 2 GiB out of a file of 200 bytes, with a shape that no reader of the file can see. */
export function expandToMemory(): Uint8Array {
  return encodeModel(
    model({ opset: 17 })
      .input('x', 'float32', ['n', 1])
      .initializer('factor', tensorFromInts('int64', [2], [2 ** 12, 2 ** 17]))
      .node('Shape', ['x'], ['shape'])
      .node('Mul', ['shape', 'factor'], ['huge'])
      .node('Expand', ['x', 'huge'], ['big'])
      .node('Sin', ['big'], ['waves'])
      .node('ReduceSum', ['waves'], ['y'], { keepdims: 0 })
      .output('y', 'float32', [])
      .build(),
  )
}
