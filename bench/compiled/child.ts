/**
 * Compiles every pipeline of the cases on the adapter at hand, one after the other. Prints on the
 * output stream one line of JSON that says which there are (`Plan`), and on the error stream a line
 * before each of them, so that what the driver prints can be told apart.
 *
 *     node --import tsx bench/compiled/child.ts [--quick] [--default-limits]
 */
import { writeSync } from 'node:fs'
import type { Gpu } from '../../src/gpu/gpu.ts'
import type { Constants, Kernel } from '../../src/gpu/kernels/kernel.ts'
import { PipelineCache } from '../../src/gpu/kernels/pipelines.ts'
import { readShaders } from '../../src/host/node/shaders.ts'
import { createEngine } from '../../src/index.ts'
import { products, trainingSteps, type Work } from './cases.ts'
import { failure, mark, type Plan } from './plan.ts'

const quick = process.argv.includes('--quick')
const limits = process.argv.includes('--default-limits') ? 'default' : 'adapter'
const engine = await createEngine({ adapter: 'hardware', limits })
const { gpu } = engine
const found = new Map<string, readonly [Kernel, Constants]>()

/** The pipelines that the work needs, by their place in `found`. */
function pipelinesOf({ name, launch }: Work) {
  const launched = gpu.rehearse(() => launch(gpu)).kernels
  for (const [kernel, constants] of launched) {
    const key = keyOf(kernel, constants)
    if (!found.has(key)) found.set(key, [kernel, constants])
  }
  const keys = [...found.keys()]
  const pipelines = [...new Set(launched.map(([...one]) => keys.indexOf(keyOf(...one))))]
  return { name, dispatches: launched.length, pipelines }
}

function keyOf({ name }: Kernel, constants: Constants): string {
  return `${name} ${JSON.stringify(constants)}`
}

const steps = (await trainingSteps(engine, quick)).map(pipelinesOf)
const rows = quick ? [] : products().map(pipelinesOf)
const pipelines = [...found.values()].map(([{ name }, constants]) => ({ name, constants }))
const plan: Plan = { adapter: engine.info.adapter, pipelines, steps, products: rows }
writeSync(1, `${JSON.stringify(plan)}\n`)
await compile(gpu)
process.exit()

async function compile({ device }: Gpu): Promise<void> {
  const errors: Promise<string | null>[] = []
  const cache = new PipelineCache(device, await readShaders(), (scope) => {
    errors.push(scope.then((error) => error?.message ?? null))
  })
  for (const [i, [kernel, constants]] of [...found.values()].entries()) {
    writeSync(2, `\n${mark}${i}\n`)
    cache.get(kernel, constants, null)
    for (const error of await Promise.all(errors.splice(0)))
      if (error !== null) writeSync(2, `\n${failure}${error}\n`)
  }
}
