import { alexnet, type Engine, tune } from '../src/index.ts'
import { alexnet64, torchvision } from './networks/plan.ts'

/**
 * Tunes both networks, as `graft tune` does, for the batch sizes of the benchmark. The results are
 * kept for this adapter.
 */
export async function tuneNetworks(engine: Engine): Promise<void> {
  for (const [{ variant }, batchSize] of [[alexnet64, 64] as const, [torchvision, 8] as const]) {
    const model = await alexnet(engine, { variant })
    const results = await tune(model, {
      batchSize,
      onProgress: (done, total) =>
        process.stderr.isTTY &&
        process.stderr.write(`\rtuning ${variant}: ${done} of ${total}\x1b[K`),
    })
    model.dispose()
    engine.gpu.trim()
    const gained = results.filter(({ best, before }) => best !== before).length
    console.log(`\rtuned ${variant}: ${gained} of ${results.length} products compute faster now`)
  }
}
