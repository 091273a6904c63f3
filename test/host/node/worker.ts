// Opens an engine on the adapter named by the first argument, and computes with it: what a fresh
// process of a user does.

import type { AdapterChoice } from '../../../src/host/host.ts'
import { createEngine, GraftError } from '../../../src/index.ts'

for (const choice of process.argv.slice(2))
  try {
    const engine = await createEngine({ adapter: choice as AdapterChoice })
    const x = engine.tensor(Float32Array.of(-1, 2), [2])
    const { relu } = await import('../../../src/autograd/functions.ts')
    const y = await relu(x).data()
    console.log(JSON.stringify({ kind: engine.info.kind, y: [...y] }))
    engine.dispose()
  } catch (error) {
    if (!(error instanceof GraftError)) throw error
    console.log(JSON.stringify({ code: error.code, message: error.message }))
  }
