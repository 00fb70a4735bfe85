import { describe, expect, it } from 'vitest'

import { cpuFeatures, darwinFlags, linuxFlags } from './cpu-features.js'

describe('cpuFeatures', () => {
  it('describes the processor this test runs on', () => {
    const features = cpuFeatures()
    expect(features.architecture).toBe(process.arch)
    expect(features.logicalCores).toBeGreaterThan(0)
    expect(features.instructionSets).toEqual([...features.instructionSets].sort())
    // Every 64-bit processor that runs Node has one of the two.
    if (process.platform === 'linux') {
      expect(features.instructionSets).toContain(process.arch === 'arm64' ? 'neon' : 'sse4_2')
    }
  })

  it('reads the flags line of x86 and of ARM Linux', () => {
    expect(linuxFlags('processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\nbugs: x')).toEqual([
      'fpu',
      'avx2',
      'avx512_vnni',
    ])
    expect(linuxFlags('Features\t: fp asimd asimddp')).toEqual(['fp', 'asimd', 'asimddp'])
    expect(linuxFlags('')).toEqual([])
  })

  it('reads both forms of sysctl output', () => {
    const output =
      'hw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_SME: 0\nmachdep.cpu.features: AVX1.0 FMA'
    expect(darwinFlags(output)).toEqual(['hw.optional.arm.feat_dotprod', 'avx1.0', 'fma'])
  })
})
