import type { Engine } from '../../src/index.ts'
import type { Jax } from '../peers/jax.ts'
import type { Tf, TfBackend } from '../peers/tfjs.ts'

/** Who takes part. */
export interface Peers {
  readonly engine: Engine
  readonly tf: Tf | null
  readonly jax: Jax | null
  /** Whether anybody but Graft takes part. */
  readonly wanted: boolean
  /** Those of the wanted backends that finish so many operations within reason. */
  backends(wanted: readonly TfBackend[], flops: number): readonly TfBackend[]
}

/**
 * How far a float32 sum may lie from the exact one: rounding errors add up like a random walk,
 * √terms · 2^-24 · Σ|term| with high probability (Higham and Mary 2019, doi:10.1137/18M1226312),
 * times 8; the smallest is for sums of nothing.
 */
export function sumTolerance(terms: number, magnitude: number): number {
  return 8 * Math.sqrt(terms) * 2 ** -24 * magnitude + 1e-30
}

/** Computed at the first call, kept afterwards. */
export function lazy<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}
