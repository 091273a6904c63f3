/**
 * Reads what RADV prints about a pipeline (RADV_DEBUG=shaders,shaderstats): its statistics, and its
 * instructions, where the machine's LLVM knows the family.
 */
import { failure, mark } from './plan.ts'

/** What the driver's compiler made of a pipeline. */
export interface Compiled {
  readonly vgprs: number
  readonly sgprs: number
  /** Registers that did not fit, and the bytes of memory a thread takes for them and for arrays. */
  readonly spilled: number
  readonly scratchBytes: number
  readonly sharedBytes: number
  /** Waves that a SIMD holds at the same time. */
  readonly waves: number
  readonly instructions: number
  readonly codeBytes: number
  /** Instructions by kind, as the driver counts them. */
  readonly kinds: Readonly<Record<string, number>>
  readonly latency: number
  /** Cycles of a SIMD for 64 threads; a loop counts as 8 turns. */
  readonly inverseThroughput: number
  /** `inverseThroughput` for each multiply-add of a thread, loops counted the same way. */
  readonly cyclesPerMultiplyAdd: number | null
  /** The loop that holds most multiply-adds. */
  readonly loop: Loop | null
}

/** The smallest loop around the multiply-adds. */
export interface Loop {
  readonly instructions: number
  readonly multiplyAdds: number
  /** Multiply-adds that are issued two at a time. */
  readonly dualIssued: number
  /**
   * Multiply-adds among all operations of one turn; two that are issued together are two operations.
   */
  readonly share: number
  /** Bytes that a thread reads from shared memory for each multiply-add. */
  readonly sharedBytesPerMultiplyAdd: number
}

/** What the driver printed about each pipeline, or why there is nothing. */
export function readLog(log: string): Map<number, Compiled | { readonly error: string }> {
  const parts = log.split(`\n${mark}`).slice(1)
  return new Map(
    parts.map((part) => {
      const [, error] = new RegExp(`^${failure}(.*)`, 'm').exec(part) ?? []
      const place = Number.parseInt(part, 10)
      if (error !== undefined) return [place, { error }]
      return [place, readPart(part) ?? { error: 'the driver printed nothing about it' }]
    }),
  )
}

const instructionKinds = ['VALU', 'SALU', 'VMEM', 'SMEM', 'VOPD', 'Branches'] as const

function readPart(part: string): Compiled | null {
  const statistics = new Map(
    [...part.matchAll(/^([A-Z][\w -]*): (\d+)/gm)].map(([, name = '', value]) => [
      name,
      Number(value),
    ]),
  )
  if (!statistics.has('VGPRs')) return null
  const read = (name: string) => statistics.get(name) ?? 0 // what a family lacks is not printed
  const code = readCode(part)
  const inverseThroughput = read('Inverse Throughput')
  return {
    vgprs: read('VGPRs'),
    sgprs: read('SGPRs'),
    spilled: read('Spilled VGPRs') + read('Spilled SGPRs'),
    scratchBytes: read('Scratch size'),
    sharedBytes: read('LDS size'),
    waves: read('Subgroups per SIMD'),
    instructions: read('Instructions'),
    codeBytes: read('Code size'),
    kinds: Object.fromEntries(instructionKinds.map((kind) => [kind, read(kind)])),
    latency: read('Latency'),
    inverseThroughput,
    cyclesPerMultiplyAdd:
      code && code.multiplyAdds > 0 ? inverseThroughput / code.multiplyAdds : null,
    loop: code?.loop ?? null,
  }
}

interface Instruction {
  readonly multiplyAdds: number
  readonly dual: boolean
  readonly sharedBytes: number
}

function readCode(part: string): { multiplyAdds: number; loop: Loop | null } | null {
  const [, text] = /^disasm:\n([\s\S]*)/m.exec(part) ?? []
  if (text === undefined) return null
  const instructions: Instruction[] = []
  const labels = new Map<string, number>()
  const loops: { readonly first: number; readonly last: number }[] = []
  for (const line of text.split('\n')) {
    const [, label] = /^(BB\d+):/.exec(line) ?? []
    if (label !== undefined) labels.set(label, instructions.length)
    const [, instruction] = /^\s+([a-z]+_[a-z0-9_]+.*?)\s*(?:;|\/\/|$)/.exec(line) ?? []
    if (instruction === undefined) continue
    const [, target] = /^s_c?branch\S* (BB\d+)/.exec(instruction) ?? []
    const first = target === undefined ? undefined : labels.get(target)
    if (first !== undefined) loops.push({ first, last: instructions.length })
    instructions.push(readInstruction(instruction))
  }
  const inside = (i: number) => loops.filter(({ first, last }) => first <= i && i <= last).length
  const multiplyAdds = instructions.reduce(
    (sum, one, i) => (one.multiplyAdds ? sum + one.multiplyAdds * 8 ** inside(i) : sum),
    0,
  )
  const candidates = loops.map(({ first, last }) => loopOf(instructions.slice(first, last + 1)))
  const densest = candidates.reduce<Loop | null>((best, one) => {
    const more = one.multiplyAdds - (best?.multiplyAdds ?? 0)
    return more > 0 || (more === 0 && best && one.instructions < best.instructions) ? one : best
  }, null)
  return { multiplyAdds, loop: densest }
}

function loopOf(instructions: readonly Instruction[]): Loop {
  const sum = (value: (one: Instruction) => number) =>
    instructions.reduce((total, one) => total + value(one), 0)
  const multiplyAdds = sum((one) => one.multiplyAdds)
  return {
    instructions: instructions.length,
    multiplyAdds,
    dualIssued: sum((one) => (one.dual ? one.multiplyAdds : 0)),
    share: multiplyAdds / sum((one) => (one.dual ? 2 : 1)),
    sharedBytesPerMultiplyAdd: sum((one) => one.sharedBytes) / multiplyAdds,
  }
}

const multiplyAdd = /v_(?:dual_)?(?:fma|fmac|fmamk|fmaak|mad|mac)_(?:legacy_)?f32/g

function readInstruction(text: string): Instruction {
  return {
    multiplyAdds: (text.match(multiplyAdd) ?? []).length + (/^v_pk_fma_f32/.test(text) ? 2 : 0),
    dual: text.startsWith('v_dual_'),
    sharedBytes: sharedBytes(text),
  }
}

/** ds_load_b128, or ds_read_b128 on older families; ds_load_2addr_b32 and ds_read2_b32 read two. */
function sharedBytes(text: string): number {
  const [, two, bits] = /^ds_(?:load|read)_?(2)?\w*_b(\d+)/.exec(text) ?? []
  return bits === undefined ? 0 : (Number(bits) / 8) * (two ? 2 : 1)
}
