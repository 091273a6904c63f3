import { mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { at } from '../../src/base/at.ts'
import { GraftError } from '../../src/base/errors.ts'
import { writeFileAtomic } from '../../src/base/node/atomicFile.ts'
import type { WantedLimits } from '../../src/gpu/limits.ts'
import { readLog } from './driverLog.ts'
import { type Family, type Outcome, openNullGpu } from './nullGpu.ts'
import { type Product, page, type Results, spills } from './page.ts'
import type { Plan, Planned } from './plan.ts'

/**
 * Compiles every pipeline of training steps for a family of GPUs, and says what its compiler made
 * of them. Writes the family's page to bench/results/compiled, unless `quick`.
 * @param limits of the device; 'default' writes no page either
 * @returns the exit code: 1 if a pipeline spills registers or does not compile
 * @throws UsageError if RADV or a C compiler is missing
 */
export async function compileFor(
  family: Family,
  quick: boolean,
  limits: WantedLimits,
): Promise<number> {
  const gpu = await openNullGpu()
  const child = fileURLToPath(new URL('child.ts', import.meta.url))
  const command = [process.execPath, '--import', 'tsx', child, ...(quick ? ['--quick'] : [])]
  if (limits === 'default') command.push('--default-limits')
  const outcome = await gpu.run(family, command).finally(() => gpu.dispose())
  const results = resultsOf(family, outcome)
  const bad = results.pipelines.filter((row) => row.compiled === null || spills(row))
  for (const { name, constants, error } of bad)
    console.error(`${family}: ${name} ${JSON.stringify(constants)} ${error ?? 'spills registers'}`)
  console.log(
    `${family}: ${results.pipelines.length} pipelines, ` +
      (bad.length === 0 ? 'all compile and none spills' : `${bad.length} spill or do not compile`),
  )
  if (!quick && limits === 'adapter') {
    const folder = join(import.meta.dirname, '..', 'results', 'compiled')
    await mkdir(folder, { recursive: true })
    const stem = join(folder, family)
    await writeFileAtomic(`${stem}.json`, `${JSON.stringify(results, null, 1)}\n`)
    await writeFileAtomic(`${stem}.md`, page(results))
    console.log(`written: ${relative('', stem)}.json, ${relative('', stem)}.md`)
  }
  return bad.length === 0 ? 0 : 1
}

/** Puts what the driver printed beside what was planned. */
export function resultsOf(family: Family, { stdout, stderr, status }: Outcome): Results {
  const [first = ''] = stdout.split('\n')
  if (!first.startsWith('{')) {
    const last = stderr.trim().split('\n').at(-1)
    throw new GraftError('benchmark', `no GPU of the family ${family} could be opened: ${last}`)
  }
  const plan = JSON.parse(first) as Plan
  const compiled = readLog(stderr)
  const pipelines = plan.pipelines.map((pipeline, i) => {
    const one = compiled.get(i) ?? { error: `was not reached: the compiler ended with ${status}` }
    const steps = plan.steps.filter((step) => step.pipelines.includes(i)).map(({ name }) => name)
    return 'error' in one
      ? { ...pipeline, steps, compiled: null, error: one.error }
      : { ...pipeline, steps, compiled: one }
  })
  return {
    family,
    adapter: plan.adapter,
    date: new Date().toISOString().slice(0, 10),
    pipelines,
    products: plan.products.map((work) => productOf(work, plan)),
    dispatches: Object.fromEntries(plan.steps.map(({ name, dispatches }) => [name, dispatches])),
  }
}

function productOf({ name, pipelines }: Planned, plan: Plan): Product {
  const nameOf = (i: number) => at(plan.pipelines, i).name
  const pipeline = pipelines.findLast((i) => nameOf(i) === 'contract/block')
  if (pipeline === undefined) throw new RangeError(`${name} launches no contract/block`)
  return {
    name,
    pipeline,
    around: pipelines.filter((i) => i !== pipeline).map(nameOf),
  }
}
