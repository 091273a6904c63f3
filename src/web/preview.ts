import { at } from '../base/at.ts'
import { type Sample, type SampleList, sampleAt } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import { predict } from '../train/evaluate.ts'
import type { WorkEvent } from './workerApi.ts'

/** Images held out whose predictions are shown while the network learns. */
const shown = 6
/** They take at most a tenth of the time, and are new at most twice a second. */
const [share, shortest] = [10, 500]

/** What the network thinks of a few images held out, told again and again during training. */
export class Preview {
  readonly #model: Network
  readonly #samples: readonly Sample[]
  readonly #classes: readonly string[]
  readonly #tell: (event: WorkEvent) => void
  #next = 0
  #last: Promise<void> = Promise.resolve()
  #busy = false

  constructor(
    model: Network,
    data: { readonly val: SampleList; readonly classes: readonly string[] },
    tell: (event: WorkEvent) => void,
  ) {
    this.#model = model
    this.#samples = someOf(data.val)
    this.#classes = data.classes
    this.#tell = tell
  }

  /** Called after every step of the training; does nothing while it is too early. */
  step(): void {
    if (this.#busy || performance.now() < this.#next) return
    this.#busy = true
    // An image that cannot be decoded is told of by the training, and so is a lost device.
    this.#last = this.#predict().catch(() => {})
  }

  /** Waits until nothing of it runs on the device. */
  idle(): Promise<void> {
    return this.#last
  }

  async #predict(): Promise<void> {
    const begun = performance.now()
    try {
      const sources = this.#samples.map(({ source }) => source)
      const predictions = await predict(this.#model, sources, { topK: 1 })
      const images = predictions.map(({ top: [best] }, i) => {
        const { name, label } = at(this.#samples, i)
        const predicted = best ? at(this.#classes, best.index) : ''
        const actual = at(this.#classes, label)
        return { name, actual, predicted, probability: best?.probability ?? Number.NaN }
      })
      this.#tell({ type: 'preview', images })
    } finally {
      const now = performance.now()
      this.#next = now + Math.max(shortest, share * (now - begun))
      this.#busy = false
    }
  }
}

/** A few images of as many classes as there are, evenly from the whole list. */
function someOf(val: SampleList): Sample[] {
  const count = Math.min(shown, val.length)
  return Array.from({ length: count }, (_, i) =>
    sampleAt(val, Math.floor(((i + 0.5) * val.length) / count)),
  )
}
