// Which instruction sets the processor has: int8 results and speed depend on them, so every report
// names them. Reading the operating system's list is platform I/O, hence in this package.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

export interface CpuFeatures {
  readonly architecture: string
  /** The vendor's name of the processor, e.g. `Intel(R) Xeon(R) Platinum 8481C`. */
  readonly model: string
  readonly logicalCores: number
  /** Sorted names out of INSTRUCTION_SETS. */
  readonly instructionSets: readonly InstructionSet[]
  /**
   * Int8 products are summed in 32 bits in one instruction. Without it (AVX2, AVX-512 before VNNI)
   * onnxruntime's uint8 × int8 kernels saturate at 16 bits.
   */
  readonly hasVnni: boolean
}

/** x86 flags as in /proc/cpuinfo, then ARM: `neon_dotprod` is SDOT/UDOT, `neon_i8mm` SMMLA. */
export const INSTRUCTION_SETS = [
  'amx_bf16',
  'amx_int8',
  'avx',
  'avx2',
  'avx512_bf16',
  'avx512_fp16',
  'avx512_vnni',
  'avx512bw',
  'avx512f',
  'avx_vnni',
  'avx_vnni_int8',
  'f16c',
  'fma',
  'neon',
  'neon_bf16',
  'neon_dotprod',
  'neon_fp16',
  'neon_i8mm',
  'sse4_2',
  'sve',
  'sve2',
] as const

export type InstructionSet = (typeof INSTRUCTION_SETS)[number]

/** Sums of int8 products stay exact on these; ARM's widening multiplies (base NEON) are exact too. */
const EXACT_INT8: ReadonlySet<InstructionSet> = new Set([
  'amx_int8',
  'avx512_vnni',
  'avx_vnni',
  'neon',
  'neon_dotprod',
])

export function cpuFeatures(): CpuFeatures {
  const found = new Set(rawFlags().map((flag) => ALIASES[flag] ?? flag))
  if (process.arch === 'arm64') found.add('neon')
  const instructionSets = INSTRUCTION_SETS.filter((name) => found.has(name))
  const processors = cpus()
  return {
    architecture: process.arch,
    model: processors[0]?.model.trim() ?? 'unknown',
    logicalCores: processors.length,
    instructionSets,
    hasVnni: instructionSets.some((name) => EXACT_INT8.has(name)),
  }
}

/** Names other systems use for the same instructions. */
const ALIASES: Readonly<Record<string, InstructionSet>> = {
  'avx1.0': 'avx',
  'sse4.2': 'sse4_2',
  asimd: 'neon',
  asimddp: 'neon_dotprod',
  asimdhp: 'neon_fp16',
  bf16: 'neon_bf16',
  i8mm: 'neon_i8mm',
  'hw.optional.arm.feat_bf16': 'neon_bf16',
  'hw.optional.arm.feat_dotprod': 'neon_dotprod',
  'hw.optional.arm.feat_fp16': 'neon_fp16',
  'hw.optional.arm.feat_i8mm': 'neon_i8mm',
}

function rawFlags(): readonly string[] {
  try {
    if (process.platform === 'linux') return linuxFlags(readFileSync('/proc/cpuinfo', 'utf8'))
    if (process.platform === 'darwin') return darwinFlags(sysctl())
  } catch {
    // A sandbox may hide both; the report then lists no instruction sets, which claims nothing.
  }
  return []
}

/** `flags : a b c` (x86) or `Features : a b c` (ARM) of the first processor. */
export function linuxFlags(cpuinfo: string): readonly string[] {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? ''
  return line.split(/\s+/).filter((flag) => flag !== '')
}

/** `machdep.cpu.features: A B` lists names; `hw.optional.arm.FEAT_X: 1` is one name per line. */
export function darwinFlags(output: string): readonly string[] {
  return output.split('\n').flatMap((line) => {
    const [key = '', value = ''] = line.toLowerCase().split(/:\s*/)
    if (key.startsWith('hw.optional')) return value.trim() === '1' ? [key] : []
    return value.split(/\s+/).filter((flag) => flag !== '')
  })
}

function sysctl(): string {
  return execFileSync('/usr/sbin/sysctl', ['-i', 'hw.optional', 'machdep.cpu'], {
    encoding: 'utf8',
  })
}
