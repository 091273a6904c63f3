import type { TilingTable } from '../src/gpu/tiling/tiling.ts'
import { type Case, type Competitor, competitors, type Outcome, type Timing } from './contest.ts'
import type { Peak } from './limit.ts'
import type { Machine } from './machine.ts'
import type { Summary } from './summary.ts'

/** One line of the table and of the JSON. Numbers that could not be measured are null. */
export interface Row {
  readonly name: string
  readonly pass: string
  readonly shape: string
  readonly family: Case['family']
  readonly graft: {
    readonly ms: number | null
    readonly spread?: readonly [number, number]
    readonly gflops: number | null
    /**
     * The speed as a share of what the device's multiply-adds and its memory allow (roofline); both
     * were measured when the row ran.
     */
    readonly share: number | null
    readonly peakBytes?: number
  }
  readonly tfjs_webgpu?: PeerTime
  readonly tfjs_wasm?: PeerTime
  readonly tfjs_cpu?: PeerTime
  readonly jaxjs?: PeerTime
  readonly ort?: PeerTime
  readonly pytorch?: PeerTime
  /**
   * tfjs WebGPU's time over Graft's; null if they cannot be compared: Graft's values are wrong, or
   * tfjs is faster and its values are wrong.
   */
  readonly ratio: number | null
  /** Whether Graft's values agree with the float64 reference. */
  readonly agree: boolean
  readonly note?: string
  /** Whether it was timed with --quick: fewer runs, fewer images. */
  readonly quick?: boolean
}

export type Peer = Exclude<Competitor, 'graft'>
export const peers = competitors.filter((who): who is Peer => who !== 'graft')

export interface PeerTime {
  readonly ms: number | null
  readonly spread?: readonly [number, number]
  readonly peakBytes?: number
  readonly error?: string
}

export interface Results {
  readonly adapter: string
  readonly kind: string
  readonly machine: Machine
  /**
   * The tilings in use that `graft tune` measured on this machine; empty if it did not run, so that
   * Graft's table and rule chose them.
   */
  readonly tilings: TilingTable
  readonly date: string
  readonly quick: boolean
  readonly peak: Peak
  readonly rows: readonly Row[]
  readonly summary: Summary
}

/** The row of an outcome. */
export function toRow(
  { name, pass, shape, family, flops, bytes, note }: Case,
  { timings, peak }: Outcome,
): Row {
  const { graft, tfjs_webgpu: tfjs } = timings
  const ms = graft ? measured(graft) : null
  const least = Math.max(flops / peak.gflops, bytes / peak.gbps) / 1e6
  const agree = ms !== null && graft?.error === undefined
  const theirs = tfjs ? measured(tfjs) : null
  // A wrong answer that is faster says nothing; a slower one has done part of the work at least.
  const comparable = agree && theirs !== null && !(tfjs?.error !== undefined && theirs < ms)
  const remark = graft?.error ?? note
  return {
    name,
    pass,
    shape,
    family,
    graft: {
      ...(graft ? peerTime(graft) : {}),
      ms,
      gflops: ms === null ? null : flops / ms / 1e6,
      share: ms === null ? null : least / ms,
    },
    ...Object.fromEntries(
      peers.flatMap((who) => (timings[who] ? [[who, peerTime(timings[who])]] : [])),
    ),
    ratio: comparable ? theirs / ms : null,
    agree,
    ...(remark ? { note: remark } : {}),
  }
}

function measured({ ms }: Timing): number | null {
  return Number.isFinite(ms) ? ms : null
}

function peerTime(timing: Timing): PeerTime {
  const ms = measured(timing)
  const { spread, peakBytes, error } = timing
  return {
    ms,
    ...(ms === null ? {} : { spread }),
    ...(peakBytes === undefined ? {} : { peakBytes }),
    ...(error === undefined ? {} : { error }),
  }
}
