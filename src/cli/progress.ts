import { type Options, SingleBar } from 'cli-progress'
import { clock } from '../base/format.ts'

/** A bar appears after this many milliseconds of work. */
const patience = 600

/** The progress of some work, on the terminal's last line, below everything that is printed. */
export class Progress {
  readonly label: string
  #total: number
  readonly #created = performance.now()
  #startedAt = this.#created
  readonly #timer: NodeJS.Timeout
  #done = 0
  #note = ''
  #bar: SingleBar | null = null

  constructor(label: string, total: number) {
    this.label = label
    this.#total = Math.max(1, total)
    this.#timer = setTimeout(() => this.show(), patience)
  }

  update(done: number, total: number, note: string): void {
    if (total !== this.#total) {
      // Another part of the same work: its remaining time is estimated from its own start.
      if (this.#bar) this.#startedAt = performance.now()
      this.#total = total
      this.#bar?.setTotal(total)
    }
    this.#done = Math.min(done, total)
    this.#note = note
    this.#bar?.update(this.#done, this.#payload())
  }

  /** Draws the bar once the work has taken long enough. */
  show(): void {
    if (this.#bar || performance.now() - this.#created < patience - 1) return
    const options: Options = {
      format: `${this.label.padEnd(10)} [{bar}] {percentage} %  {note}`,
      barsize: barSize(),
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      stream: process.stderr,
      clearOnComplete: true,
      linewrap: true,
      fps: 8,
    }
    this.#bar = new SingleBar(options)
    this.#bar.start(this.#total, this.#done, this.#payload())
  }

  /** Removes the bar, so that a line can be printed in its place. */
  hide(): void {
    this.#bar?.stop()
    this.#bar = null
  }

  end(): void {
    clearTimeout(this.#timer)
    this.hide()
  }

  #payload(): { note: string } {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const left =
      this.#done > 0 && this.#done < this.#total
        ? `${clock((seconds / this.#done) * (this.#total - this.#done))} left`
        : ''
    return { note: [this.#note, left].filter((part) => part !== '').join('  ') }
  }
}

/** The width that a label, a percentage and the longest note leave. */
function barSize(): number {
  return Math.max(10, Math.min(28, (process.stderr.columns || 80) - 70))
}
