import type { Engine } from '../src/index.ts'
import type { StepMemory } from './cases/network.ts'
import { geometricMean, type Row, type Summary } from './results.ts'
export async function summarise(_: Engine, rows: readonly Row[], memory: StepMemory): Promise<Summary> {
  const ratios = rows.flatMap(({ ratio }) => (ratio === null ? [] : [ratio]))
  console.log(memory)
  console.log(Math.min(...ratios), geometricMean(ratios))
  return {} as Summary
}
