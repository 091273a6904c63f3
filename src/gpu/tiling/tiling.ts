/** The register tile of shaders/contract/tile.wgsl: one subgroup per workgroup. */
export interface RegisterTiling {
  readonly kernel: 'tile'
  /** Rows of the output that each lane keeps in registers, a multiple of four. */
  readonly rows: number
  /** Columns per lane, a multiple of four. */
  readonly columns: number
  /** The most steps of the sum in one iteration of the loop. */
  readonly steps: number
  /** How many parts the sum is split into, where the problem allows it. */
  readonly splits: number
}

/**
 * The block in shared memory of shaders/contract/block.wgsl: a workgroup of many subgroups, each
 * thread with a small tile in registers.
 */
export interface BlockTiling {
  readonly kernel: 'block'
  readonly rows: number
  readonly columns: number
  /** Steps of the sum that are staged in shared memory at once, a multiple of four. */
  readonly depth: number
  readonly threadRows: number
  readonly threadColumns: number
  /** Steps that are written out in the kernel, a divisor of half the depth. */
  readonly steps: number
  readonly splits: number
}

/** How a contraction is computed. */
export type Tiling = RegisterTiling | BlockTiling

/** The sizes that a tiling depends on. */
export interface Problem {
  readonly planes: number
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** What the four elements of a vector of the second operand are. */
  readonly interleaved: 'columns' | 'depth' | 'none'
  /** The most parts that the sum may be split into; 1 where it may not be split. */
  readonly mostSplits: number
}

/** Measured tilings, by the key of their problem. */
export type TilingTable = Readonly<Record<string, Tiling>>

/** The key of a problem in tables of tilings. */
export function problemKey({
  planes,
  rows,
  columns,
  depth,
  interleaved,
  mostSplits,
}: Problem): string {
  return `${planes}x${rows}x${columns}x${depth} ${interleaved}${mostSplits > 1 ? ' split' : ''}`
}

/** Tilings without duplicates. */
export function distinct(tilings: readonly Tiling[]): Tiling[] {
  return [...new Map(tilings.map((tiling) => [JSON.stringify(tiling), tiling])).values()]
}

/**
 * How many of `count` steps one iteration of the loop takes: the most that divide `count` and are
 * at most the tiling's steps.
 */
export function unrollFactor(most: number, count: number): number {
  return [16, 8, 4, 2, 3].find((steps) => count % steps === 0 && steps <= most) ?? 1
}
