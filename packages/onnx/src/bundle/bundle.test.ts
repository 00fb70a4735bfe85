import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { CodedError } from '@pare/errors'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { decodeModel } from '../decode/decode-model.js'
import { encodeModel } from '../encode/encode-model.js'
import { scanModel } from '../scan/scan-model.js'
import {
  bytes,
  externalTensor,
  float32,
  func,
  functionBomb,
  graph,
  int,
  join as concat,
  modelBytes,
  node,
  RELU,
  tensor,
  tensorAttribute,
} from '../scan/testing.js'
import { canonicalizeModel } from './canonicalize-model.js'
import { extractBundle, openPlainFile, openUpload, type OpenUploadOptions } from './index.js'
import { zip, type ZipFile } from './testing.js'

let root: string
let directory: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pare-bundle-'))
  directory = join(root, 'fresh')
  mkdirSync(directory)
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

const relu = modelBytes({ nodes: [RELU], inputs: ['x'], outputs: ['y'] })
const weights = Uint8Array.from({ length: 16 }, (_, index) => index)
const withWeights = modelBytes({
  nodes: [
    RELU,
    node({
      op: 'Constant',
      outputs: ['c'],
      attributes: [
        tensorAttribute('value', externalTensor('', [2], { location: 'w.bin', offset: '8' })),
      ],
    }),
  ],
  initializers: [externalTensor('w', [2], { location: 'w.bin', offset: '4', length: '8' })],
  inputs: ['x'],
  outputs: ['y'],
})

function upload(content: Uint8Array, name = 'upload'): string {
  const path = join(root, name)
  writeFileSync(path, content)
  return path
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (error instanceof CodedError) return error.code
    throw error
  }
  return 'accepted'
}

const open = (content: Uint8Array, limits: OpenUploadOptions['limits'] = {}) =>
  openUpload({ path: upload(content), directory, limits })

describe('an upload', () => {
  it('that is a bare model is read where it is', async () => {
    const { model, report } = await open(relu)
    expect(report.ops).toEqual({ Relu: 1 })
    expect(model.graph.nodes[0]?.opType).toBe('Relu')
    expect(readdirSync(directory)).toEqual([])
  })

  it.each([true, false])(
    'that is an archive has its weights inlined (stored: %s)',
    async (stored) => {
      const { model, report } = await open(
        zip([
          { path: 'model.onnx', content: withWeights, stored },
          { path: 'w.bin', content: weights, stored },
          { path: 'README.md', content: new Uint8Array(0), stored },
        ]),
      )
      expect(report.externalMembers).toEqual(['w.bin'])
      expect(model.graph.initializers.get('w')?.data).toEqual({
        kind: 'bytes',
        bytes: weights.subarray(4, 12),
      })
      // What is stored is read where it is.
      expect(readdirSync(directory)).toEqual(stored ? [] : ['README.md', 'model.onnx', 'w.bin'])
      const constant = model.graph.nodes[1]?.attributes.get('value')
      expect(constant).toMatchObject({
        value: { data: { kind: 'bytes', bytes: weights.subarray(8, 16) } },
      })
      expect(scanModel(encodeModel(model)).externalMembers).toEqual([])
    },
  )

  it('may stand in one folder and carry what macOS adds', async () => {
    const { report } = await open(
      zip([
        { path: 'net/', content: new Uint8Array(0), stored: true, mode: 0o040755 },
        { path: 'net/model.onnx', content: withWeights },
        { path: 'net/w.bin', content: weights },
        { path: '__MACOSX/net/._model.onnx', content: weights },
        { path: 'net/.DS_Store', content: weights },
      ]),
    )
    expect(report.externalMembers).toEqual(['w.bin'])
    expect(readdirSync(directory).sort()).toEqual(['model.onnx', 'w.bin'])
  })

  it('is scanned before it is decoded', async () => {
    expect(await codeOf(open(functionBomb(20)))).toBe('function_bomb')
    expect(await codeOf(open(zip([{ path: 'm.onnx', content: withWeights }])))).toBe(
      'external_data_missing',
    )
  })

  it('becomes files with one name, readable by the owner only', async () => {
    await open(zip([{ path: 'm.onnx', content: relu }]))
    const facts = statSync(join(directory, 'm.onnx'))
    expect(facts.nlink).toBe(1)
    expect(facts.mode & 0o777).toBe(0o600)
    expect(readFileSync(join(directory, 'm.onnx'))).toEqual(Buffer.from(relu))
  })
})

describe('an archive', () => {
  const model: ZipFile = { path: 'm.onnx', content: relu }
  const zeros = new Uint8Array(4_000_000)
  const whole = zip([model])

  it.each<[string, string, Uint8Array]>([
    ['without a model', 'bundle_model_missing', zip([{ path: 'w.bin', content: weights }])],
    ['with two models', 'bundle_model_ambiguous', zip([model, { path: 'n.ONNX', content: relu }])],
    [
      'with a path upwards',
      'bundle_entry_refused',
      zip([model, { path: '../w.bin', content: weights }]),
    ],
    [
      'with an absolute path',
      'bundle_entry_refused',
      zip([model, { path: '/w.bin', content: weights }]),
    ],
    [
      'with a backslash',
      'bundle_entry_refused',
      zip([model, { path: '..\\w.bin', content: weights }]),
    ],
    ['with a drive', 'bundle_entry_refused', zip([model, { path: 'C:w.bin', content: weights }])],
    ['with a NUL', 'bundle_entry_refused', zip([model, { path: 'w\u0000.bin', content: weights }])],
    [
      'with letters beyond ASCII',
      'bundle_entry_refused',
      zip([model, { path: 'wеights', content: weights }]),
    ],
    [
      'with names that differ by case',
      'bundle_entry_refused',
      zip([model, { path: 'M.onnx', content: relu }]),
    ],
    [
      'with several folders',
      'bundle_entry_refused',
      zip([model, { path: 'sub/w.bin', content: weights }]),
    ],
    [
      'with a symbolic link',
      'bundle_entry_refused',
      zip([model, { path: 'w.bin', content: weights, mode: 0o120777 }]),
    ],
    [
      'with a device',
      'bundle_entry_refused',
      zip([model, { path: 'w.bin', content: weights, mode: 0o020666 }]),
    ],
    ['that is encrypted', 'bundle_entry_refused', zip([{ ...model, encrypted: true }])],
    [
      'with an archive by name',
      'bundle_entry_refused',
      zip([model, { path: 'w.tar.gz', content: weights }]),
    ],
    [
      'with an archive by content',
      'bundle_entry_refused',
      zip([model, { path: 'w.bin', content: whole }]),
    ],
    [
      'with overlapping entries',
      'bundle_entry_refused',
      zip([model, { path: 'w.bin', content: relu, overlaps: true }]),
    ],
    ['with a wrong checksum', 'bundle_archive_invalid', zip([{ ...model, claims: { crc32: 1 } }])],
    [
      'with a wrong checksum of what is stored',
      'bundle_archive_invalid',
      zip([
        { ...model, stored: true },
        { path: 'w.bin', content: weights, stored: true, claims: { crc32: 1 } },
      ]),
    ],
    [
      'with a stored archive by content',
      'bundle_entry_refused',
      zip([model, { path: 'w.bin', content: whole, stored: true }]),
    ],
    [
      'with stored weights that overlap',
      'bundle_entry_refused',
      zip([
        { ...model, stored: true },
        { path: 'w.bin', content: relu, stored: true, overlaps: true },
      ]),
    ],
    [
      'longer than it claims',
      'bundle_archive_invalid',
      zip([{ ...model, claims: { inflatedBytes: 10 } }]),
    ],
    [
      'shorter than it claims',
      'bundle_archive_invalid',
      zip([{ ...model, claims: { inflatedBytes: 10_000 } }]),
    ],
    ['that is cut off', 'bundle_archive_invalid', whole.subarray(0, whole.length - 30)],
    [
      'that inflates a thousandfold',
      'bundle_inflation_refused',
      zip([model, { path: 'w.bin', content: zeros }]),
    ],
  ])('%s is refused', async (_name, code, content) => {
    expect(await codeOf(open(content, { ratioFloorBytes: 1_000_000 }))).toBe(code)
  })

  it('with too many entries or bytes is refused before anything is written', async () => {
    const files = Array.from({ length: 5 }, (_, index) => ({ path: `w${index}`, content: weights }))
    expect(await codeOf(open(zip([model, ...files]), { maxEntries: 5 }))).toBe('bundle_too_large')
    expect(await codeOf(open(zip([model, ...files]), { maxInflatedBytes: 60 }))).toBe(
      'bundle_too_large',
    )
    expect(readdirSync(directory)).toEqual([])
  })

  it('inflates less per byte the larger it gets', async () => {
    const content = Uint8Array.from({ length: 400_000 }, (_, i) => (i % 4 === 0 ? (i * i) >> 3 : 0))
    const archive = zip([model, { path: 'w.bin', content }])
    const ratio = content.length / archive.length
    expect(ratio).toBeGreaterThan(2)
    const limits = { ratioFloorBytes: 0, largeBytes: 100_000 }
    const accepted = await codeOf(open(archive, { ...limits, maxLargeRatio: ratio + 1 }))
    expect(accepted).toBe('accepted')
    rmSync(directory, { recursive: true })
    mkdirSync(directory)
    expect(await codeOf(open(archive, { ...limits, maxLargeRatio: 2 }))).toBe(
      'bundle_inflation_refused',
    )
  })

  it('stops inflating at the limit, whatever the directory claims', async () => {
    const bomb = zip([model, { path: 'w.bin', content: zeros, claims: { inflatedBytes: 100 } }])
    expect(await codeOf(open(bomb))).toBe('bundle_archive_invalid')
    expect(statSync(join(directory, 'w.bin')).size).toBeLessThanOrEqual(100)
  })

  it('leaves the upload readable to the end when it stops in the middle of a long entry', async () => {
    const long = zip([model, { path: 'w.bin', content: new Uint8Array(2 ** 27) }])
    expect(await codeOf(open(long, { ratioFloorBytes: 1_000_000 }))).toBe(
      'bundle_inflation_refused',
    )
  })

  it('is never unpacked over existing files', async () => {
    writeFileSync(join(directory, 'other'), 'x')
    const work = extractBundle({ path: upload(whole), directory })
    await expect(work).rejects.toThrow('empty folder')
  })
})

describe('a file', () => {
  it('that is a hard link, a symbolic link or no file is refused', () => {
    const secret = upload(relu, 'secret')
    const [hard, soft] = [join(root, 'hard'), join(root, 'soft')]
    symlinkSync(secret, soft)
    expect(() => openPlainFile(soft)).toThrow(expect.objectContaining({ code: 'file_not_plain' }))
    linkSync(secret, hard)
    expect(() => openPlainFile(hard)).toThrow(expect.objectContaining({ code: 'file_not_plain' }))
    expect(() => openPlainFile(directory)).toThrow(
      expect.objectContaining({ code: 'file_not_plain' }),
    )
  })
})

describe('the canonical form', () => {
  const noisy = concat(
    modelBytes({
      nodes: [
        [...RELU, bytes(6, 'd'.repeat(5_000)), bytes(9, [bytes(1, 'trace'), bytes(2, '/home/me')])],
      ],
      inputs: ['x'],
      outputs: ['y'],
      fields: [bytes(10, 'short'), bytes(16, [bytes(1, 'k'), bytes(2, 'v')])],
      opsets: { '': 17, 'com.microsoft.nchwc': 1, local: 1 },
      functions: [func({ name: 'f', nodes: [RELU] })],
    }),
    bytes(14, [bytes(1, 'author'), bytes(2, 'me')]),
    bytes(20, [bytes(1, graph({ nodes: [RELU] }))]),
    bytes(26, [bytes(1, 'gpu'), int(2, 1)]),
  )

  it('keeps what computes and drops what does not', () => {
    scanModel(noisy)
    const model = canonicalizeModel(decodeModel(noisy))
    expect(model.metadataProps).toEqual([])
    expect(model.trainingInfo).toBeUndefined()
    expect(model.deviceConfigurations).toBeUndefined()
    expect(model.graph.metadataProps).toEqual([])
    expect(model.graph.docString).toBe('short')
    expect(model.graph.nodes[0]).toMatchObject({ opType: 'Relu', metadataProps: [] })
    expect(model.graph.nodes[0]?.docString).toBeUndefined()
    expect(model.opsetImports.map(({ domain }) => domain)).toEqual(['', 'local'])
    expect(model.functions).toHaveLength(1)
  })

  it('is its own canonical form', () => {
    const once = encodeModel(canonicalizeModel(decodeModel(noisy)))
    expect(encodeModel(canonicalizeModel(decodeModel(once)))).toEqual(once)
    expect(scanModel(once).ops).toEqual(scanModel(noisy).ops)
  })
})

describe('damaged models', () => {
  it('that pass the scanner are decoded, or refused with a code, and never break the decoder', () => {
    const whole = concat(
      modelBytes({
        nodes: [
          RELU,
          node({
            op: 'Constant',
            outputs: ['c'],
            attributes: [tensorAttribute('value', tensor({ dims: [2], raw: new Uint8Array(8) }))],
          }),
        ],
        initializers: [tensor({ name: 'w', dims: [1, 2], fields: [float32(4, 1), float32(4, 2)] })],
        inputs: ['x'],
        outputs: ['y'],
        functions: [func({ name: 'f', nodes: [RELU] })],
      }),
      bytes(14, [bytes(1, 'key'), bytes(2, 'value')]),
    )
    let accepted = 0
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (damage) => {
          const model = Uint8Array.from(whole)
          for (const [at, value] of damage) model[at] = value
          if (outcome(() => scanModel(model)) !== 'done') return
          accepted += 1
          const decoded = outcome(() => encodeModel(canonicalizeModel(decodeModel(model))))
          expect(decoded).not.toBe('uncoded')
        },
      ),
      { numRuns: 2_000, seed: 11 },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})

function outcome(work: () => unknown): 'done' | 'coded' | 'uncoded' {
  try {
    work()
    return 'done'
  } catch (error) {
    return error instanceof CodedError ? 'coded' : 'uncoded'
  }
}
