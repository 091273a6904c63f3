import { type Options, SingleBar } from 'cli-progress'
import { clock } from '../base/format.ts'

/** A bar appears once a piece of work has taken this long, in milliseconds. */
const patience = 600

/**
 * How far one piece of work is: drawn on the terminal's last line, below whatever is printed
 * meanwhile.
 */
export class Progress {
  readonly label: string
  #total: number
  readonly #made = performance.now()
  #begun = this.#made
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
      // Another part of the same work: what is left is reckoned anew.
      if (this.#bar) this.#begun = performance.now()
      this.#total = total
      this.#bar?.setTotal(total)
    }
    this.#done = Math.min(done, total)
    this.#note = note
    this.#bar?.update(this.#done, this.#payload())
  }

  /** Draws it, if it has been at work for long enough. */
  show(): void {
    if (this.#bar || performance.now() - this.#made < patience - 1) return
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

  /** Takes it off the screen, so that a line can be printed in its place. */
  hide(): void {
    this.#bar?.stop()
    this.#bar = null
  }

  end(): void {
    clearTimeout(this.#timer)
    this.hide()
  }

  #payload(): { note: string } {
    const seconds = (performance.now() - this.#begun) / 1000
    const left =
      this.#done > 0 && this.#done < this.#total
        ? `${clock((seconds / this.#done) * (this.#total - this.#done))} left`
        : ''
    return { note: [this.#note, left].filter((part) => part !== '').join('  ') }
  }
}

/** What the terminal's line leaves beside a label, a percentage and the longest note. */
function barSize(): number {
  return Math.max(10, Math.min(28, (process.stderr.columns || 80) - 70))
}
