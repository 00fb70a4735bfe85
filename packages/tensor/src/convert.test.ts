import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  fromRuntimeTensor,
  storedArray,
  tensorFromFloat32,
  tensorFromFloats,
  tensorFromInts,
  tensorFromStrings,
  toFloat32,
  toIntegers,
  toNumbers,
  toRuntimeTensor,
  toStrings,
} from './convert.js'
import { DATA_TYPES, type DataType } from './data-type.js'
import type { Tensor } from './tensor.js'

const INTEGER_RANGES: Readonly<Partial<Record<DataType, readonly [bigint, bigint]>>> = {
  uint8: [0n, 255n],
  int8: [-128n, 127n],
  uint16: [0n, 65535n],
  int16: [-32768n, 32767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  bool: [0n, 1n],
  uint4: [0n, 15n],
  int4: [-8n, 7n],
  uint2: [0n, 3n],
  int2: [-2n, 1n],
}

describe.each(Object.entries(INTEGER_RANGES))('a tensor of %s', (name, [min, max]) => {
  const dataType = name as DataType

  it('gives back its integers', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min, max }), { maxLength: 9 }), (values) => {
        const tensor = tensorFromInts(dataType, [values.length], values)
        expect(Array.from(toNumbers(tensor) as ArrayLike<number | bigint>, BigInt)).toEqual(values)
        expect(fromRuntimeTensor(toRuntimeTensor(tensor))).toEqual(tensor)
      }),
    )
  })

  it.each([min - 1n, max + 1n])('refuses %s', (value) => {
    expect(() => tensorFromInts(dataType, [], [value])).toThrow(
      expect.objectContaining({ code: 'tensor_value_out_of_range' }),
    )
  })
})

describe('float tensors', () => {
  const FLOATS: readonly DataType[] = [
    'float32',
    'float64',
    'float16',
    'bfloat16',
    'float8e4m3fn',
    'float8e4m3fnuz',
    'float8e5m2',
    'float8e5m2fnuz',
    'float8e8m0',
    'float6e2m3',
    'float6e3m2',
    'float4e2m1',
  ]
  it.each(FLOATS)('keep numbers that %s has', (dataType) => {
    const values = Float32Array.of(1, 2, 4)
    expect([...toFloat32(tensorFromFloats(dataType, [3], values))]).toEqual([1, 2, 4])
  })

  it('share the memory of float32 values', () => {
    const values = Float32Array.of(1, 2)
    expect(toFloat32(tensorFromFloat32([2], values)).buffer).toBe(values.buffer)
  })

  it('are copied once where their bytes are not aligned', () => {
    const file = new Uint8Array(9)
    new DataView(file.buffer).setFloat32(1, 1.5, true)
    new DataView(file.buffer).setFloat32(5, -2, true)
    const tensor: Tensor = {
      dataType: 'float32',
      dims: [2],
      data: { kind: 'bytes', bytes: file.subarray(1) },
    }
    expect([...toFloat32(tensor)]).toEqual([1.5, -2])
  })
})

describe('tensor data', () => {
  it('must fit the shape', () => {
    const tensor: Tensor = {
      dataType: 'int32',
      dims: [2],
      data: { kind: 'bytes', bytes: new Uint8Array(7) },
    }
    expect(() => storedArray(tensor)).toThrow(
      expect.objectContaining({ code: 'tensor_data_mismatch' }),
    )
    expect(() => tensorFromInts('int8', [3], [1, 2])).toThrow(
      expect.objectContaining({ code: 'tensor_data_mismatch' }),
    )
  })

  it('must have been loaded', () => {
    const tensor: Tensor = {
      dataType: 'int32',
      dims: [2],
      data: { kind: 'external', location: 'w.bin', offset: 0, length: 8 },
    }
    expect(() => toNumbers(tensor)).toThrow(
      expect.objectContaining({ code: 'tensor_data_not_loaded' }),
    )
  })

  it('of strings is UTF-8', () => {
    const tensor = tensorFromStrings([2], ['á', ''])
    expect(toStrings(tensor)).toEqual(['á', ''])
    expect(toRuntimeTensor(tensor).data).toEqual(['á', ''])
    expect(fromRuntimeTensor(toRuntimeTensor(tensor))).toEqual(tensor)
  })

  it('of indices is exact or refused', () => {
    expect(toIntegers(tensorFromInts('int64', [2], [-1, 2n ** 53n - 1n]))).toEqual([
      -1, 9007199254740991,
    ])
    expect(() => toIntegers(tensorFromInts('int64', [], [2n ** 53n]))).toThrow(
      expect.objectContaining({ code: 'tensor_value_out_of_range' }),
    )
  })

  it('of an empty tensor is empty', () => {
    for (const dataType of DATA_TYPES.filter((name) => name !== 'string')) {
      const tensor: Tensor = {
        dataType,
        dims: [0, 3],
        data: { kind: 'bytes', bytes: new Uint8Array(0) },
      }
      expect(toNumbers(tensor).length).toBe(0)
    }
  })
})
