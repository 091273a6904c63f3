import type { AdapterKind } from './platform.ts'

/**
 * The shape of the register tile that matrix products and convolutions run in: one subgroup a workgroup, `rows` rows of the output in
 * each lane's registers, `columns` columns a lane.
 */
export interface TileShape {
  /** Lanes of a subgroup. */
  readonly lanes: number
  /** Row counts to choose from, ascending: the smallest that holds the whole output is taken, else the largest. */
  readonly rows: readonly number[]
  /** Columns of each lane, a multiple of four. */
  readonly columns: number
  /**
   * Rows times steps of the sum in one turn of the loop. Fewer load and store each accumulator too often, more leave the instruction
   * cache; tall tiles take two or three steps all the same.
   */
  readonly turn: number
  /** Workgroups that keep the device busy; where an output has fewer tiles, the sum is split. */
  readonly busy: number
}

/**
 * The one place where tile shapes are chosen. On a CPU adapter a load costs as much as eight multiply-adds and registers spill to a
 * warm cache, so tiles are large; a GPU's lanes have 64 to 255 registers each.
 */
export function tileShape(kind: AdapterKind, lanes: number): TileShape {
  if (kind === 'lavapipe') return { lanes, rows: [8, 16, 32, 48, 64], columns: 4, turn: 64, busy: 16 }
  if (kind === 'swiftshader') return { lanes, rows: [8, 16, 32], columns: 4, turn: 64, busy: 16 }
  return { lanes, rows: [8, 16], columns: 4, turn: 64, busy: 512 }
}

/** The row count for an output of `rows` rows: the one that leaves the fewest idle, the larger of equals. */
export function chooseRows(tile: TileShape, rows: number): number {
  let best = tile.rows[0] ?? 8
  let bestPadded = Number.POSITIVE_INFINITY
  for (const candidate of tile.rows) {
    const padded = Math.ceil(rows / candidate) * candidate
    if (padded <= bestPadded) {
      best = candidate
      bestPadded = padded
    }
  }
  return best
}

/** How many of `count` steps are taken in one turn of the loop: the most that divide them and do not make it too long. */
export function chooseUnroll({ turn }: TileShape, rows: number, count: number): number {
  return [8, 4, 2, 3].find((steps) => count % steps === 0 && steps <= Math.max(3, turn / rows)) ?? 1
}
