import { createEngineOn, type EngineOptions } from '../../src/createEngine.ts'
import type { AdapterChoice } from '../../src/host/host.ts'
import type { Engine } from '../../src/tensor/tensor.ts'
import { lentHost } from './lentDevice.ts'

const engines = new Map<string, Promise<Engine>>()

/**
 * The one engine that all tests share: software adapters on few cores starve each other.
 * GRAFT_ADAPTER chooses the adapter, 'auto' by default.
 * @param kernels 'plain' for the naive kernels alone
 * @param maxBindingBytes a lower limit than the adapter's, so that small tensors are bound in parts
 */
export function testEngine(
  kernels: EngineOptions['kernels'] = 'auto',
  maxBindingBytes?: number,
): Promise<Engine> {
  const key = `${kernels} ${maxBindingBytes}`
  const known = engines.get(key)
  if (known) return known
  const adapter = (process.env.GRAFT_ADAPTER ?? 'auto') as AdapterChoice
  const engine = createEngineOn(lentHost, {
    adapter,
    kernels,
    ...(maxBindingBytes ? { maxBindingBytes } : {}),
  })
  engines.set(key, engine)
  void engine.then(({ info }) =>
    console.log(
      `adapter: ${info.adapter} (${info.kind}), kernels: ${info.subgroup ? `tiles of ${info.subgroup} lanes` : 'plain'}`,
    ),
  )
  return engine
}
