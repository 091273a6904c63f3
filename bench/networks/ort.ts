import { availableParallelism } from 'node:os'
import { at } from '../../src/base/at.ts'
import { alexnet, type Engine, exportOnnx } from '../../src/index.ts'
import type { Contestant } from '../contest.ts'
import { loadPeer } from '../peers/install.ts'
import type { Task } from './plan.ts'

/** The part of onnxruntime-node that is used here. */
interface Ort {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => unknown
}

interface Session {
  readonly inputNames: readonly string[]
  run(
    feeds: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>
  release(): Promise<void>
}

/** An inference in ONNX Runtime on all processors, of the network as Graft exports it. */
export async function ortStep(
  engine: Engine,
  { plan: { variant }, weights, images }: Task,
): Promise<Contestant> {
  const ort = (await loadPeer('onnxruntime-node')) as Ort
  const model = await alexnet(engine, { variant, weights })
  const file = await exportOnnx(model)
  model.dispose()
  engine.gpu.trim()
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    intraOpNumThreads: availableParallelism(),
    // Otherwise its idle threads would take the next competitor's processors.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const feeds = {
    [at(session.inputNames, 0)]: new ort.Tensor('float32', images.data, images.shape),
  }
  const step = async () => at(Object.values(await session.run(feeds)), 0).data
  return {
    async time() {
      const begun = performance.now()
      await step()
      return performance.now() - begun
    },
    values: step,
    dispose: () => session.release(),
  }
}
