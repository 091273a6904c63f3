import { createEngineOn, type EngineOptions } from '../../src/createEngine.ts'
import { nodePlatform } from '../../src/gpu/node/platform.ts'
import type { AdapterChoice } from '../../src/gpu/platform.ts'
import type { Engine } from '../../src/tensor/engine.ts'

const engines = new Map<string, Promise<Engine>>()

/**
 * The one engine that all tests share: software adapters on few cores starve each other.
 * GRAFT_ADAPTER chooses the adapter, 'auto' by default.
 * @param kernels 'plain' for the naive kernels alone
 */
export function testEngine(kernels: EngineOptions['kernels'] = 'auto'): Promise<Engine> {
  const known = engines.get(kernels)
  if (known) return known
  const engine = createEngineOn(nodePlatform, { adapter: (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice, kernels })
  engines.set(kernels, engine)
  void engine.then(({ info }) =>
    console.log(`adapter: ${info.adapter} (${info.kind}), kernels: ${info.subgroup ? `tiles of ${info.subgroup} lanes` : 'plain'}`),
  )
  return engine
}
