import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { mapTensors, type Model, tensorsOf } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { bytesOf, tensorFromFloat32 } from '@pare/tensor'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { decodeModel } from '../decode/decode-model.js'
import { encodeInlined, encodeModel } from '../encode/encode-model.js'
import { bytesSource } from '../scan/byte-source.js'
import { piecesOf } from '../wire/writer.js'
import { isBundle, openModelFile, openUpload, planModelFile } from './index.js'
import { DEFAULT_BUNDLE_LIMITS } from './limits.js'
import { readZipDirectory } from './zip-directory.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pare-model-file-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

const ramp = (length: number, from = 0) => Float32Array.from({ length }, (_, i) => from + i)

const body = () =>
  model()
    .floats('inner', [2000], ramp(2000, 7))
    .node('Add', ['x', 'inner'], ['z'])
    .output('z')
    .graph()

/** Weights in the graph and in a body, two of them the same, small ones, and a large attribute. */
function network(): Model {
  const shared = tensorFromFloat32([1500], ramp(1500))
  return model()
    .input('x', 'float32', [2000])
    .input('flag', 'bool', [])
    .initializer('a', shared)
    .initializer('b', shared)
    .floats('c', [50, 100], ramp(5000, 1))
    .floats('small', [2], [1, 2])
    .node('If', ['flag'], ['y'], { then_branch: body(), else_branch: body() })
    .output('y')
    .build()
}

function write(name: string, of: Model, maxOnnxBytes?: number): string {
  const path = join(root, name)
  const plan = planModelFile(of, maxOnnxBytes === undefined ? {} : { maxOnnxBytes })
  expect(plan.write(path)).toBe(statSync(path).size)
  return path
}

const numbersOf = (of: Model) => tensorsOf(of).map((tensor) => Buffer.from(bytesOf(tensor)))

describe('a model file', () => {
  it('is an .onnx file up to the limit and a bundle above it', () => {
    const size = encodeModel(network()).length
    const whole = write('whole', network(), size)
    expect(isBundle(whole)).toBe(false)
    expect(readFileSync(whole)).toEqual(Buffer.from(encodeModel(network())))
    expect(planModelFile(network(), { maxOnnxBytes: size - 1 }).format).toBe('bundle')
  })

  it('gives back what was written, whichever form it has', () => {
    const bundle = openModelFile(write('bundle', network(), 0))
    expect(bundle.format).toBe('bundle')
    expect(numbersOf(bundle.model)).toEqual(numbersOf(network()))
    const inlined = Buffer.concat([...piecesOf(encodeInlined(bundle.model))])
    expect(inlined).toEqual(Buffer.from(encodeModel(network())))
    expect(openModelFile(write('whole', bundle.model)).model).toEqual(network())
  })

  it('leaves large weights in the bundle and reads them when they are wanted', () => {
    const path = write('bundle', network(), 0)
    const { graph } = openModelFile(path).model
    const data = (name: string) => graph.initializers.get(name)!.data
    expect(data('a')).toMatchObject({ kind: 'external', location: 'bundle', length: 6000 })
    expect(data('small').kind).toBe('bytes')
    const { offset, length } = data('c') as Extract<ReturnType<typeof data>, { kind: 'external' }>
    // Where a runtime maps it into memory as it is.
    expect(offset % 4096).toBe(0)
    const there = readFileSync(path).subarray(offset, offset + length)
    expect(there).toEqual(Buffer.from(ramp(5000, 1).buffer))
  })

  it('is the same bytes for the same model, also when that comes from a bundle', () => {
    const first = write('first', network(), 0)
    const again = write('again', openModelFile(first).model, 0)
    expect(readFileSync(again).equals(readFileSync(first))).toBe(true)
    // A weight that two initializers share is stored once.
    expect(statSync(first).size).toBeLessThan(encodeModel(network()).length + 5 * 4096)
  })

  it('is never written over another, and not left behind when writing fails', () => {
    const path = write('taken', network())
    expect(() => planModelFile(network()).write(path)).toThrow('EEXIST')
    const failing = mapTensors(network(), (tensor) => {
      const { data } = tensor
      if (data.kind !== 'bytes' || data.bytes.length < 4096) return tensor
      const read = () => {
        throw new Error('the disk is gone')
      }
      const location = 'elsewhere'
      return {
        ...tensor,
        data: { kind: 'external', location, offset: 0, length: data.bytes.length, read },
      }
    })
    const half = join(root, 'half')
    expect(() => planModelFile(failing, { maxOnnxBytes: 0 }).write(half)).toThrow(
      'the disk is gone',
    )
    expect(() => statSync(half)).toThrow('ENOENT')
  })

  it('cannot be written without the weights', () => {
    const absent = decodeModel(encodeModel(openModelFile(write('bundle', network(), 0)).model))
    expect(() => planModelFile(absent)).toThrow(
      expect.objectContaining({ code: 'tensor_data_not_loaded' }),
    )
  })
})

describe('a bundle', () => {
  it('is an upload that is accepted, and its own canonical form', async () => {
    const path = write('bundle', network(), 0)
    const directory = join(root, 'fresh')
    mkdirSync(directory)
    const upload = await openUpload({ path, directory })
    expect(upload.report.externalMembers).toEqual(['weights.bin'])
    expect(numbersOf(upload.model)).toEqual(numbersOf(network()))
    const canonical = write('canonical', upload.model, 0)
    upload.close()
    expect(readFileSync(canonical).equals(readFileSync(path))).toBe(true)
  })

  it('holds a model and weights that stand for themselves when they are unpacked', () => {
    const bytes = readFileSync(write('bundle', network(), 0))
    const entries = readZipDirectory(bytesSource(bytes), DEFAULT_BUNDLE_LIMITS)
    expect(entries.map(({ name, method }) => [name, method])).toEqual([
      ['model.onnx', 'stored'],
      ['weights.bin', 'stored'],
    ])
    const [slim, weights] = entries.map(({ dataOffset, inflatedBytes }) =>
      bytes.subarray(dataOffset, dataOffset + inflatedBytes),
    )
    const data = decodeModel(slim!).graph.initializers.get('c')!.data
    expect(data).toMatchObject({ kind: 'external', location: 'weights.bin' })
    const { offset, length } = data as Extract<typeof data, { kind: 'external' }>
    expect(weights!.subarray(offset, offset + length)).toEqual(Buffer.from(ramp(5000, 1).buffer))
  })

  it('that is cut off or has another content is refused with a code', () => {
    const path = write('bundle', network(), 0)
    truncateSync(path, statSync(path).size - 1)
    expect(() => openModelFile(path)).toThrow(
      expect.objectContaining({ code: 'bundle_archive_invalid' }),
    )
    const other = join(root, 'other')
    writeFileSync(other, 'PK\u0003\u0004')
    expect(() => openModelFile(other)).toThrow(
      expect.objectContaining({ code: 'bundle_archive_invalid' }),
    )
  })
})
