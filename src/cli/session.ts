import type { AdapterChoice } from '../host/host.ts'
import type { Engine } from '../tensor/engine.ts'
import { fetchAbsent } from './commands/weights.ts'
import { Stop } from './interrupt.ts'
import type { Output } from './output.ts'
import { withEngine } from './withEngine.ts'

/** What a long command computes with. */
interface SessionOptions {
  readonly adapter: AdapterChoice
  readonly offline?: boolean
}

/**
 * Runs a long command: weights that are named and absent are fetched first; Ctrl-C asks it to stop;
 * whatever it ends with, its engine is gone.
 */
export async function inSession(
  weights: string | undefined,
  options: SessionOptions,
  output: Output,
  body: (engine: Engine, stop: Stop) => Promise<void>,
): Promise<void> {
  const stop = new Stop(() => output.warn('stopping; Ctrl-C once more to stop at once'))
  try {
    await fetchAbsent(weights, options, output, stop)
    await withEngine(options.adapter, output, (engine) => body(engine, stop))
  } finally {
    stop.done()
  }
}
