import { availableParallelism } from 'node:os'
import type { Engine } from '../../src/index.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import type { Peers } from '../cases/common.ts'
import { installPeers } from './install.ts'
import { openJax } from './jax.ts'
import { openTfjs, type TfBackend } from './tfjs.ts'

/**
 * 10^9 operations per second that a backend does at least; what would take longer than `patience`
 * seconds is left out.
 */
const rates: Readonly<Record<TfBackend, number>> = {
  webgpu: Number.POSITIVE_INFINITY,
  wasm: 10,
  cpu: 0.5,
}

/** Installs and opens the libraries that Graft is compared with; none with `wanted: false`. */
export async function openPeers(
  engine: Engine,
  { wanted, quick }: { readonly wanted: boolean; readonly quick: boolean },
): Promise<Peers> {
  const patience = quick ? 0.3 : 3
  const backends: Peers['backends'] = (list, flops) =>
    list.filter((backend) => flops / (rates[backend] * 1e9) <= patience)
  if (!wanted) return { engine, wanted, tf: null, jax: null, backends }
  installPeers()
  const tf = await openTfjs(engine, availableParallelism())
  const { adapter } = await nodeHost.requestAdapter(engine.info.kind)
  // jax-js asks this for an adapter and gets one of the engine's kind.
  const gpu: Pick<GPU, 'requestAdapter'> = { requestAdapter: async () => adapter }
  const jax = await openJax(gpu, engine.gpu.device.limits.maxStorageBufferBindingSize).catch(
    (error: Error) => {
      console.log(`jax-js is left out: ${error.message}`)
      return null
    },
  )
  return { engine, wanted, tf, jax, backends }
}
