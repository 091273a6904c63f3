import type { AdapterKind } from '../../host/host.ts'
import { shippedTilings } from './shippedTilings.ts'
import {
  type BlockTiling,
  distinct,
  type Problem,
  problemKey,
  type RegisterTiling,
  type Tiling,
  type TilingTable,
} from './tiling.ts'

/**
 * The one place that selects tilings: one measured on this adapter, else one measured on an adapter
 * of its kind, else the rule's. A CPU adapter gets register tiles, because a barrier costs it more
 * than everything else. A GPU, and any adapter whose subgroups are not reliable, gets blocks in
 * shared memory.
 */
export class TilingSelector {
  readonly kind: AdapterKind
  /** Lanes of a subgroup; null where a workgroup of that many threads is not one subgroup. */
  readonly lanes: number | null
  /** Sees every selected tiling and may replace it: for tuning and tests. */
  override: ((problem: Problem, tiling: Tiling) => Tiling) | null = null
  readonly #shipped: TilingTable
  readonly #save: (measured: TilingTable) => Promise<void>
  #measured: TilingTable

  /**
   * @param measured tilings measured on this adapter before
   * @param save stores what is measured, for later engines on this adapter
   */
  constructor(
    kind: AdapterKind,
    lanes: number | null,
    measured: TilingTable = {},
    save: (measured: TilingTable) => Promise<void> = async () => {},
  ) {
    this.kind = kind
    this.lanes = lanes
    this.#shipped = shippedTilings[kind]
    this.#measured = measured
    this.#save = save
  }

  /** The tilings that were measured on this adapter. */
  get measured(): TilingTable {
    return this.#measured
  }

  /** Adds tilings measured on this adapter, for this engine and later ones. */
  async keep(measured: TilingTable): Promise<void> {
    this.#measured = { ...this.#measured, ...measured }
    await this.#save(this.#measured)
  }

  /** The tiling for a problem. */
  readonly select = (problem: Problem): Tiling => {
    const key = problemKey(problem)
    const known = this.#measured[key] ?? this.#shipped[key]
    const tiling =
      known && (known.kernel === 'block' || this.lanes !== null) ? known : this.rule(problem)
    return this.override ? this.override(problem, tiling) : tiling
  }

  /** The tiling for a problem that was never measured. */
  rule(problem: Problem): Tiling {
    if (this.kind === 'hardware') return blockFor(problem, blockShapes, 512)
    if (this.lanes === null) return blockFor(problem, cpuBlockShapes, busyCpu)
    const rows = tileRows(
      this.kind === 'lavapipe' ? lavapipeRows(problem.rows) : swiftshaderRows,
      problem.rows,
    )
    return registerTiling(problem, rows, this.lanes, 64)
  }

  /** Every tiling worth measuring for a problem, the rule's own first. */
  candidates(problem: Problem): Tiling[] {
    const { kind, lanes } = this
    const tiles = lanes === null ? [] : registerCandidates(problem, lanes)
    const shapes = kind === 'hardware' ? blockShapes : lanes === null ? cpuBlockShapes : []
    const blocks = shapes.map((shape) => splitBlock(shape, problem, 512))
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

function registerCandidates(problem: Problem, lanes: number): Tiling[] {
  return [8, 16, 32, 48, 64]
    .filter((rows) => rows < 2 * problem.rows || rows === 8)
    .flatMap((rows) => [
      registerTiling(problem, rows, lanes, 64, 4),
      registerTiling(problem, rows, lanes, 128, 4),
      ...(rows === 8 ? [registerTiling(problem, rows, lanes, 64, wide)] : []),
    ])
}

/** Workgroups that keep a CPU adapter's cores busy to the end. */
const busyCpu = 16

/**
 * @param work rows times steps in one iteration of the loop: with less, each accumulator is loaded
 * and stored too often; with more, the code does not fit in the instruction cache. Tall tiles take
 * four steps all the same: with three, a filter's width becomes the innermost loop, and forward
 * takes half as long again.
 */
function registerTiling(
  problem: Problem,
  rows: number,
  lanes: number,
  work: number,
  columns = widthOf(problem, rows, lanes),
): RegisterTiling {
  const tiles =
    Math.ceil(problem.columns / (columns * lanes)) * Math.ceil(problem.rows / rows) * problem.planes
  return {
    kernel: 'tile',
    rows,
    columns,
    steps: columns === wide ? 4 : Math.max(4, Math.floor(work / rows)),
    splits: parts(Math.ceil(busyCpu / tiles), problem),
  }
}

/**
 * Columns per lane where there are few rows: this reads a row of B a kilobyte at a time, instead of
 * touching a new page for every two cache lines.
 */
const wide = 32

function widthOf({ interleaved, rows, columns }: Problem, tileRows: number, lanes: number): number {
  return interleaved === 'columns' &&
    tileRows === 8 &&
    rows <= 8 &&
    columns >= busyCpu * wide * lanes
    ? wide
    : 4
}

type BlockShape = Omit<BlockTiling, 'splits'>

const blockShape = (
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
  steps: depth / 2,
})

/**
 * From small to large; the largest fills the 16 KiB of shared memory that every device has. A
 * thread with 8 x 8 sums reads one byte of shared memory for each multiply-add, and has registers
 * enough on every GPU. Each thread copies the same number of vectors of both operands, so there are
 * at least `columns` threads, and at most depth / 8 · rows.
 */
const blockShapes: readonly BlockShape[] = [
  blockShape(16, 64, 4, 4, 32),
  blockShape(32, 64, 8, 4),
  blockShape(64, 64, 8, 8),
  blockShape(64, 128, 8, 8),
  blockShape(128, 128, 8, 8),
]

/**
 * For CPU adapters without reliable subgroups: the block with the shortest kernel, and no steps
 * written out. Their compilers take half a minute for those of 8 x 8 sums.
 */
const cpuBlockShapes: readonly BlockShape[] = [{ ...blockShape(32, 64, 8, 4), steps: 1 }]

/** How many blocks of this shape cover the output. */
function blockCount({ rows, columns }: BlockShape, problem: Problem): number {
  return Math.ceil(problem.rows / rows) * Math.ceil(problem.columns / columns) * problem.planes
}

/** The largest block that leaves few rows idle and still gives work to every core of the device. */
function blockFor(problem: Problem, shapes: readonly BlockShape[], busy: number): BlockTiling {
  const enough = (shape: BlockShape) =>
    blockCount(shape, problem) * Math.min(problem.mostSplits, 8) >= busy / 4
  const padding = ({ rows }: BlockShape) => (Math.ceil(problem.rows / rows) * rows) / problem.rows
  const best = shapes.reduce((smaller, shape) =>
    padding(shape) <= Math.max(1.34, padding(smaller)) && enough(shape) ? shape : smaller,
  )
  return splitBlock(best, problem, busy)
}

function splitBlock(shape: BlockShape, problem: Problem, busy: number): BlockTiling {
  const wanted = Math.ceil(busy / blockCount(shape, problem))
  const most = Math.ceil(problem.depth / (4 * shape.depth))
  return { ...shape, splits: parts(Math.min(wanted, most), problem) }
}

function parts(wanted: number, { mostSplits }: Problem): number {
  return Math.max(1, Math.min(Math.ceil(wanted), mostSplits))
}

/**
 * Row counts of a tile on lavapipe. 48 only where one such tile covers all rows: for 96 rows it is
 * no faster than 32, which other problems need too, and each kernel costs the driver 0.8 s at a
 * cold start.
 */
export function lavapipeRows(rows: number): readonly number[] {
  return [8, 16, 32, rows <= 48 ? 48 : 64]
}

/**
 * Four lanes of 16 rows and four columns are as many accumulators as SwiftShader keeps in
 * registers: with 32 rows a whole step takes 5 % longer.
 */
const swiftshaderRows = [8, 16]

/**
 * What a tile costs besides its rows, in rows: loads of B, addresses, the loop. Tiles of 8, 16 and
 * 32 rows take 1.9, 1.2 and 1.04 times as long as tiles of 64.
 */
const overheadRows = 6

/** The row count of a tile that computes `rows` rows fastest, out of ascending candidates. */
export function tileRows(candidates: readonly number[], rows: number): number {
  const cost = (height: number) => Math.ceil(rows / height) * (height + overheadRows)
  return candidates.reduce((best, height) => (cost(height) <= cost(best) ? height : best))
}
