import type { Engine } from '../../src/index.ts'
import type { Jax } from '../peers/jax.ts'
import type { Tf, TfBackend } from '../peers/tfjs.ts'

/** Who takes part. */
export interface Peers {
  readonly engine: Engine
  readonly tf: Tf | null
  readonly jax: Jax | null
  /** Whether others than Graft take part. */
  readonly wanted: boolean
  /** The wanted backends that can do this many operations in a reasonable time. */
  backends(wanted: readonly TfBackend[], flops: number): readonly TfBackend[]
}

/**
 * How much a float32 sum may differ from the exact one: rounding errors add up like a random walk,
 * √terms · 2^-24 · Σ|term| with high probability (Higham and Mary 2019, doi:10.1137/18M1226312),
 * times 8; 1e-30 is for sums of zeros.
 */
export function sumTolerance(terms: number, magnitude: number): number {
  return 8 * Math.sqrt(terms) * 2 ** -24 * magnitude + 1e-30
}

/** Calls `make` once, at the first use, and keeps the result. */
export function lazy<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}
