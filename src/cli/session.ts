import type { AdapterChoice } from '../host/host.ts'
import type { Engine } from '../tensor/tensor.ts'
import { fetchAbsent } from './commands/weights.ts'
import { Stop } from './interrupt.ts'
import type { Output } from './output.ts'
import { withEngine } from './withEngine.ts'

/** The options that a long command opens its engine with. */
interface SessionOptions {
  readonly adapter: AdapterChoice
  readonly offline?: boolean
}

/**
 * Runs a long command: named weights that are missing are fetched first, Ctrl-C asks it to stop,
 * and its engine is disposed of in the end, also after an error.
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
