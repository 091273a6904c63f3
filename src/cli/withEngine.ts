import type { AdapterChoice } from '../host/host.ts'
import { createEngine } from '../nodeHost.ts'
import type { Engine } from '../tensor/tensor.ts'
import type { Output } from './output.ts'

/** Runs a command's work with an engine, which is disposed of however the work ends. */
export async function withEngine<T>(
  adapter: AdapterChoice,
  output: Output,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await createEngine({ adapter })
  try {
    return await work(engine)
  } finally {
    output.endProgress()
    engine.dispose()
  }
}
