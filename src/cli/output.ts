import { counted, layersOf, percent } from '../base/format.ts'
import type { EpochResult, TrainEvent } from '../train/events.ts'
import { labeled, labeledCommand } from './lines.ts'
import { Progress } from './progress.ts'

/** Milliseconds between two events that say how many images have been read. */
const readEvery = 200

/** Set once the reader of standard output has gone. */
let pipeClosed = false

/** Calls `onClosed` when whoever reads standard output stops: `graft … | head` is no error. */
export function watchPipe(onClosed: () => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    if (pipeClosed) return
    pipeClosed = true
    onClosed()
  })
}

/**
 * Where a command speaks: sentences for a person, or one JSON object a line for a program. Bars are
 * drawn on a terminal alone, so that what is piped holds lines and nothing else.
 */
export class Output {
  readonly json: boolean
  readonly #bars: boolean
  #progress: Progress | null = null
  #readAt = Number.NEGATIVE_INFINITY

  constructor(json = false) {
    this.json = json
    this.#bars = !json && process.stdout.isTTY === true && process.stderr.isTTY === true
  }

  /** A line for people. */
  line(text = ''): void {
    if (!this.json) this.#write(process.stdout, text)
  }

  lines(texts: readonly string[]): void {
    for (const text of texts) this.line(text)
  }

  /** A label and its text, broken into lines. */
  labeled(label: string, text: string): void {
    this.lines(labeled(label, text))
  }

  /** A label and a command to type. */
  command(label: string, command: string): void {
    this.line(labeledCommand(label, command))
  }

  /** An object for programs. */
  event(event: object): void {
    if (this.json) this.#write(process.stdout, JSON.stringify(event))
  }

  /** A remark that is no result: for people on the error stream. */
  warn(text: string): void {
    if (!this.json) this.#write(process.stderr, `graft: ${text}`)
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    this.#progress?.hide()
    if (stream !== process.stdout || !pipeClosed) stream.write(`${text}\n`)
    this.#progress?.show()
  }

  /** Shows how far a piece of work is. The same label goes on with the same bar. */
  progress(label: string, done: number, total: number, note = ''): void {
    if (!this.#bars) return
    if (this.#progress?.label !== label) {
      this.endProgress()
      this.#progress = new Progress(label, total)
    }
    this.#progress.update(done, total, note)
  }

  /** Takes the bar away. Whoever shows one calls this, also after an error. */
  endProgress(): void {
    this.#progress?.end()
    this.#progress = null
  }

  /**
   * Passes on an event of fit or evaluate, with a bar for what takes time; the epoch's line is the
   * caller's.
   * @param more what a program is told besides
   */
  training(event: TrainEvent, epochs = 1, more: object = {}): void {
    if (event.type === 'read') {
      // Beside the steps of an epoch their own bar is enough.
      if (event.split === 'val' || this.#progress?.label !== 'training')
        this.progress(
          'reading',
          event.done,
          event.total,
          `${event.done} of ${event.total} ${event.split} images`,
        )
      const now = performance.now()
      if (event.done < event.total && now - this.#readAt < readEvery) return
      this.#readAt = now
    } else if (event.type === 'compile')
      this.progress('compiling', event.done, event.total, 'kernels')
    else if (event.type === 'cached')
      this.labeled(
        'cached',
        `${event.count} of ${event.total} ${event.split} images: what the frozen layers give was known from an earlier run`,
      )
    else if (event.type === 'remark') this.warn(event.message)
    else if (event.type === 'skipped') this.warn(`skipped ${event.reason}`)
    else if (event.type === 'step') {
      const done = (event.epoch - 1) * event.steps + event.step
      const figures = `loss ${event.loss.toFixed(3)}  acc ${percent(event.accuracy)}`
      this.progress(
        'training',
        done,
        epochs * event.steps,
        `epoch ${event.epoch}/${epochs}  ${figures}`,
      )
    } else if (event.type === 'search')
      this.progress(
        'searching',
        event.step,
        event.steps,
        `rate ${event.lr.toExponential(1)}  loss ${event.loss.toFixed(3)}`,
      )
    else if (event.type === 'stage')
      this.labeled('  trained', `from epoch ${event.epoch} on: ${layersOf(event.trained)}`)
    else if (event.type === 'recovered') {
      const lost = event.repeated ? `, ${counted(event.repeated, 'step')} again` : ''
      this.warn(
        `the GPU device was lost (${event.reason}): another one goes on in epoch ${event.epoch} after step ${event.step}${lost}`,
      )
    }
    this.event({ ...event, ...more })
  }
}

export const epochHeader = ' epoch      loss  accuracy  val loss  val accuracy  seconds'

/** One epoch's line, in the columns of `epochHeader`. */
export function epochLine(result: EpochResult, epochs?: number): string {
  const { epoch, trainLoss, trainAccuracy, valLoss, valAccuracy, seconds } = result
  return [
    (epochs ? `${epoch}/${epochs}` : String(epoch)).padStart(6),
    lossText(trainLoss).padStart(8),
    percent(trainAccuracy).padStart(8),
    lossText(valLoss).padStart(8),
    percent(valAccuracy).padStart(12),
    seconds.toFixed(1).padStart(7),
  ].join('  ')
}

/** A loss in eight columns at most, also one that is running away. */
function lossText(loss: number): string {
  return loss < 1000 ? loss.toFixed(4) : loss.toExponential(2)
}
