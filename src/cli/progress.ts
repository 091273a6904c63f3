import { type Options, SingleBar } from 'cli-progress'
import { shortened, widthOf } from '../base/textWidth.ts'

/** A bar appears after this many milliseconds of work. */
const patience = 600
const [shortest, longest] = [6, 28]

/** How far some work is: a share in 0..1, what it is doing, and the time left, in words. */
export interface Standing {
  readonly share: number
  readonly note: string
  readonly left: string
}

/** The progress of some work, on the terminal's last line, below everything that is printed. */
export class Progress {
  readonly label: string
  readonly #created = performance.now()
  readonly #timer: NodeJS.Timeout
  readonly #standing: () => Standing
  #bar: SingleBar | null = null

  /** @param standing asked several times a second, so that the time left goes on between events */
  constructor(label: string, standing: () => Standing) {
    this.label = label
    this.#standing = standing
    this.#timer = setTimeout(() => this.show(), patience)
  }

  /** Draws the bar once the work has taken long enough. */
  show(): void {
    if (this.#bar || performance.now() - this.#created < patience - 1) return
    const options: Options = {
      format: () => barLine(this.label, this.#standing(), process.stderr.columns || 80),
      stream: process.stderr,
      clearOnComplete: true,
      linewrap: true,
      fps: 8,
    }
    this.#bar = new SingleBar(options)
    this.#bar.start(1, 0)
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
}

/**
 * One line of a terminal: the time left stands at its end whatever else has to be shortened.
 * @example 'training   [=====     ]  48 %  epoch 2/3  loss 0.912  0:12 left'
 */
export function barLine(label: string, { share, note, left }: Standing, columns: number): string {
  const percentage = `${Math.floor(100 * Math.min(Math.max(share, 0), 1))} %`.padStart(5)
  const end = left && `  ${left}`
  const room = columns - 1 - label.length - ' []'.length - percentage.length - end.length
  const text = shortened(note && `  ${note}`, Math.max(0, room - shortest))
  const size = Math.max(shortest, Math.min(longest, room - widthOf(text)))
  const full = Math.round(size * Math.min(Math.max(share, 0), 1))
  return `${label} [${'='.repeat(full).padEnd(size)}]${percentage}${text}${end}`
}
