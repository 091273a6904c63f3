import { type Case, type Competitor, competitors, type Outcome } from './contest.ts'
import type { Peak } from './limit.ts'

/** One line of the table and of the JSON. */
export interface Row {
  readonly name: string
  readonly pass: string
  readonly shape: string
  readonly family: Case['family']
  readonly graft: { readonly ms: number; readonly spread: readonly [number, number]; readonly gflops: number; readonly share: number }
  readonly tfjs_webgpu?: PeerTime
  readonly tfjs_wasm?: PeerTime
  readonly tfjs_cpu?: PeerTime
  readonly jaxjs?: PeerTime
  readonly ort?: PeerTime
  /** tfjs WebGPU's time over Graft's; null where tfjs has no such kernel. */
  readonly ratio: number | null
  /** Whether Graft's values agree with the float64 reference. */
  readonly agree: boolean
  readonly note?: string
}

interface PeerTime {
  readonly ms: number | null
  readonly spread?: readonly [number, number]
  readonly error?: string
}

export interface Summary {
  readonly minRatio: number
  readonly geomeanRatio: number
  /** Share of the multiply-add peak that the product of two 1024x1024 matrices reaches. */
  readonly gemmShare: number
  readonly trainStepRatio: { readonly torchvision: number; readonly alexnet64: number }
  /** Graft's peak bytes of a training step over tfjs's, the worse of the two networks. */
  readonly memoryRatio: number
  /** Seconds of a frozen epoch that reads pictures anew over those of one that reads stored features. */
  readonly cacheSpeedup: number
  /** From the start of the process to the end of the first training step of alexnet-64: drivers' caches off, and on. */
  readonly coldStartMs: { readonly cold: number; readonly warm: number }
}

export interface Results {
  readonly adapter: string
  readonly kind: string
  readonly cores: number
  readonly date: string
  readonly quick: boolean
  readonly peak: Peak
  readonly rows: readonly Row[]
  readonly summary: Summary
}

/** The row of an outcome; its share is how near it comes to what the device's multiply-adds and its memory allow (roofline). */
export function toRow(wanted: Case, outcome: Outcome, peak: Peak): Row {
  const { graft, tfjs_webgpu: tfjs } = outcome
  const ms = graft?.ms ?? Number.NaN
  const least = Math.max(wanted.flops / peak.gflops, wanted.bytes / peak.gbps) / 1e6
  const others = Object.fromEntries(
    competitors
      .filter((who): who is Exclude<Competitor, 'graft'> => who !== 'graft' && outcome[who] !== undefined)
      .map((who) => {
        const { ms = Number.NaN, spread, error } = outcome[who] ?? {}
        return [
          who,
          { ms: Number.isFinite(ms) ? ms : null, ...(spread && Number.isFinite(ms) ? { spread } : {}), ...(error ? { error } : {}) },
        ]
      }),
  )
  return {
    name: wanted.name,
    pass: wanted.pass,
    shape: wanted.shape,
    family: wanted.family,
    graft: { ms, spread: graft?.spread ?? [ms, ms], gflops: wanted.flops / ms / 1e6, share: least / ms },
    ...others,
    ratio: tfjs && Number.isFinite(tfjs.ms) ? tfjs.ms / ms : null,
    agree: graft !== undefined && graft.error === undefined,
    ...(graft?.error ? { note: graft.error } : wanted.note ? { note: wanted.note } : {}),
  }
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
