import type { AdapterKind } from '../../host/platform.ts'
import { tuned } from './tuned.ts'

/** The register tile of shaders/contract/tile.wgsl: one subgroup a workgroup. */
export interface RegisterTiling {
  readonly kernel: 'tile'
  /** Rows of the output in each lane's registers, a multiple of four. */
  readonly rows: number
  /** Columns of each lane, a multiple of four. */
  readonly columns: number
  /** The most steps of the sum in one turn of the loop. */
  readonly steps: number
  /** Parts the sum is split into, where it may be. */
  readonly splits: number
}

/**
 * The block in shared memory of shaders/contract/block.wgsl: a workgroup of many subgroups, each
 * thread with a small tile of registers.
 */
export interface BlockTiling {
  readonly kernel: 'block'
  readonly rows: number
  readonly columns: number
  /** Steps of the sum that are staged at once, a multiple of four. */
  readonly depth: number
  readonly threadRows: number
  readonly threadColumns: number
  readonly splits: number
}

/** How a contraction is computed. */
export type Tiling = RegisterTiling | BlockTiling

/** What a tiling is chosen for. */
export interface Problem {
  readonly planes: number
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** What lies in fours in the second operand. */
  readonly fours: 'columns' | 'depth' | 'nothing'
  /** The most parts that the sum may be split into; 1 where it may not be. */
  readonly mostSplits: number
}

/** A problem's name in tables of tilings. */
export function problemKey({ planes, rows, columns, depth, fours, mostSplits }: Problem): string {
  return `${planes}x${rows}x${columns}x${depth} ${fours}${mostSplits > 1 ? ' split' : ''}`
}

/** Tilings measured, by problem. */
export type TilingTable = Readonly<Record<string, Tiling>>

/**
 * The one place where tilings are chosen: what was measured on this adapter, else what was measured
 * on one of its kind, else a rule. A CPU adapter takes register tiles, since a barrier costs it
 * more than everything else; a GPU, and any adapter whose subgroups cannot be relied on, blocks in
 * shared memory.
 */
export class Tilings {
  readonly kind: AdapterKind
  /** Lanes of a subgroup; null where a workgroup of that many threads is not one. */
  readonly lanes: number | null
  /** Told of every choice, and has the last word: for tuning and tests. */
  override: ((problem: Problem, tiling: Tiling) => Tiling) | null = null
  readonly #shipped: TilingTable
  readonly #save: (measured: TilingTable) => Promise<void>
  #measured: TilingTable

  /**
   * @param measured on this very adapter
   * @param save keeps what is measured for later engines on it
   */
  constructor(
    kind: AdapterKind,
    lanes: number | null,
    measured: TilingTable = {},
    save: (measured: TilingTable) => Promise<void> = async () => {},
  ) {
    this.kind = kind
    this.lanes = lanes
    this.#shipped = tuned[kind]
    this.#measured = measured
    this.#save = save
  }

  /** What was measured on this very adapter. */
  get measured(): TilingTable {
    return this.#measured
  }

  /**
   * Takes over tilings that were measured on this adapter, beside earlier ones, for this engine and
   * later ones.
   */
  async keep(measured: TilingTable): Promise<void> {
    this.#measured = { ...this.#measured, ...measured }
    await this.#save(this.#measured)
  }

  /** The tiling for a problem. */
  readonly choose = (problem: Problem): Tiling => {
    const key = problemKey(problem)
    const known = this.#measured[key] ?? this.#shipped[key]
    const tiling =
      known && (known.kernel === 'block' || this.lanes !== null) ? known : this.rule(problem)
    return this.override ? this.override(problem, tiling) : tiling
  }

  /** The tiling for a problem that nobody measured. */
  rule(problem: Problem): Tiling {
    if (this.lanes === null || this.kind === 'hardware')
      return blockFor(problem, this.kind === 'hardware' ? 512 : 16)
    const rows = tileRows(
      this.kind === 'lavapipe' ? lavapipeRows(problem.rows) : swiftshaderRows,
      problem.rows,
    )
    return registerTiling(problem, rows, this.lanes, 64)
  }

  /** Every tiling worth measuring for a problem, the rule's own first. */
  candidates(problem: Problem): Tiling[] {
    const { lanes } = this
    const registers =
      lanes === null
        ? []
        : [8, 16, 32, 48, 64].filter((rows) => rows < 2 * problem.rows || rows === 8)
    const tiles = registers.flatMap((rows) => [
      ...[64, 128].map((turn) => registerTiling(problem, rows, lanes ?? 1, turn, 4)),
      ...(rows === 8 ? [registerTiling(problem, rows, lanes ?? 1, 64, wide)] : []),
    ])
    const blocks =
      this.kind === 'hardware' || lanes === null
        ? blockShapes.map((shape) => splitBlock(shape, problem, 512))
        : []
    const all = [this.rule(problem), ...tiles, ...blocks].flatMap((tiling) =>
      problem.mostSplits > 1
        ? [1, 0.5, 2, 4].map((factor) => ({
            ...tiling,
            splits: parts(tiling.splits * factor, problem),
          }))
        : [tiling],
    )
    return distinct(all)
  }
}

/** Tilings without their repetitions. */
export function distinct(tilings: readonly Tiling[]): Tiling[] {
  return [...new Map(tilings.map((tiling) => [JSON.stringify(tiling), tiling])).values()]
}

/** Workgroups that keep a CPU adapter's cores busy to the end. */
const busyCpu = 16

/**
 * @param turn rows times steps in one turn of the loop: fewer load and store each accumulator too
 * often, more leave the instruction cache. Tall tiles take four steps all the same: with three, a
 * filter's width goes innermost, and forward takes half as long again.
 */
function registerTiling(
  problem: Problem,
  rows: number,
  lanes: number,
  turn: number,
  columns = widthOf(problem, rows, lanes),
): RegisterTiling {
  const tiles =
    Math.ceil(problem.columns / (columns * lanes)) * Math.ceil(problem.rows / rows) * problem.planes
  return {
    kernel: 'tile',
    rows,
    columns,
    steps: columns === wide ? 4 : Math.max(4, Math.floor(turn / rows)),
    splits: parts(Math.ceil(busyCpu / tiles), problem),
  }
}

/**
 * Columns a lane where rows are few: a row of B is read a kilobyte at a time, not a new page for
 * every two cache lines.
 */
const wide = 32

function widthOf({ fours, rows, columns }: Problem, tileRows: number, lanes: number): number {
  return fours === 'columns' && tileRows === 8 && rows <= 8 && columns >= busyCpu * wide * lanes
    ? wide
    : 4
}

type BlockShape = Omit<BlockTiling, 'splits'>
const block = (
  rows: number,
  columns: number,
  threadRows: number,
  threadColumns: number,
  depth = 16,
): BlockShape => ({
  kernel: 'block',
  rows,
  columns,
  depth,
  threadRows,
  threadColumns,
})

/**
 * From small to large; 128 x 128 with 16 steps fills the 16 KiB of shared memory that every device
 * has.
 */
const blockShapes: readonly BlockShape[] = [
  block(16, 64, 4, 4),
  block(32, 64, 4, 4),
  block(64, 64, 4, 4),
  block(64, 128, 8, 4),
  block(128, 128, 8, 8),
  block(128, 128, 8, 8, 8),
]

/** The largest block that leaves few rows idle and still gives every core of the device one. */
function blockFor(problem: Problem, busy: number): BlockTiling {
  const [first, ...larger] = blockShapes.filter(({ depth }) => depth === 16)
  const whole = (shape: BlockShape) =>
    Math.ceil(problem.rows / shape.rows) *
    Math.ceil(problem.columns / shape.columns) *
    problem.planes *
    Math.min(problem.mostSplits, 8)
  const idle = (shape: BlockShape) =>
    (Math.ceil(problem.rows / shape.rows) * shape.rows) / problem.rows
  const best = larger.reduce(
    (chosen, shape) =>
      idle(shape) <= Math.max(1.34, idle(chosen)) && whole(shape) >= busy / 4 ? shape : chosen,
    first ?? block(16, 64, 4, 4),
  )
  return splitBlock(best, problem, busy)
}

function splitBlock(shape: BlockShape, problem: Problem, busy: number): BlockTiling {
  const blocks =
    Math.ceil(problem.rows / shape.rows) *
    Math.ceil(problem.columns / shape.columns) *
    problem.planes
  return {
    ...shape,
    splits: parts(
      Math.min(Math.ceil(busy / blocks), Math.ceil(problem.depth / (4 * shape.depth))),
      problem,
    ),
  }
}

function parts(wanted: number, { mostSplits }: Problem): number {
  return Math.max(1, Math.min(Math.ceil(wanted), mostSplits))
}

/**
 * 48 rows only where they are all there are: for 96 they are no faster than 32, which others want
 * too, and a driver is 0.8 s at each kernel when it starts cold.
 */
export function lavapipeRows(rows: number): readonly number[] {
  return [8, 16, 32, rows <= 48 ? 48 : 64]
}

/**
 * Four lanes of 16 rows and four columns are as many accumulators as it keeps at hand: 32 rows take
 * 5 % longer in a whole step.
 */
const swiftshaderRows = [8, 16]

/**
 * What a tile costs besides its rows, in rows: loads of B, addresses, the loop. Tiles of 8, 16 and
 * 32 rows take 1.9, 1.2 and 1.04 times as long as those of 64.
 */
const besides = 6

/** Of ascending row counts of a tile the one that makes `rows` rows the fastest. */
export function tileRows(candidates: readonly number[], rows: number): number {
  const cost = (height: number) => Math.ceil(rows / height) * (height + besides)
  return candidates.reduce((best, height) => (cost(height) <= cost(best) ? height : best))
}

/**
 * How many of `count` steps are taken in one turn of the loop: the most that divide them and do not
 * exceed the tiling's.
 */
export function chooseUnroll(most: number, count: number): number {
  return [16, 8, 4, 2, 3].find((steps) => count % steps === 0 && steps <= most) ?? 1
}
