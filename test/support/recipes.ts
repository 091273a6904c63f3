import { readFileSync } from 'node:fs'

interface ScheduleCase {
  readonly kind: 'one-cycle' | 'cosine'
  readonly steps: number
  readonly lr: number
  /** PyTorch's spelling for OneCycleLR. */
  readonly options: Readonly<Record<string, number>>
  readonly rates: readonly number[]
  readonly momenta?: readonly number[]
}

interface LossCase {
  readonly n: number
  readonly classes: number
  readonly soft: boolean
  readonly labelSmoothing: number
  readonly reduction: 'mean' | 'sum' | 'none'
  readonly logits: readonly number[]
  readonly target: readonly number[]
  readonly weight: readonly number[] | null
  readonly loss: readonly number[]
  readonly dloss: readonly number[]
  readonly dlogits: readonly number[]
}

interface ClipCase {
  readonly maxNorm: number
  readonly norm: number
  readonly before: readonly (readonly number[])[]
  readonly after: readonly (readonly number[])[]
}

interface AverageCase {
  readonly decay: number
  readonly start: readonly number[]
  readonly values: readonly (readonly number[])[]
  readonly averages: readonly (readonly number[])[]
}

/** PyTorch's values for training recipes, by test/oracle/make_recipes.py. */
export const recipes = JSON.parse(
  readFileSync(new URL('../oracle/recipes.json', import.meta.url), 'utf8'),
) as {
  readonly schedules: readonly ScheduleCase[]
  readonly losses: readonly LossCase[]
  readonly clips: readonly ClipCase[]
  readonly averages: readonly AverageCase[]
}
