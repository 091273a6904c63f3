import { type Options, Presets, SingleBar } from 'cli-progress'
import { GraftError } from '../gpu/errors.ts'
import type { TrainEvent } from '../train/events.ts'

/** The exit codes of every command. */
export const exitCodes = { failure: 1, usage: 2, interrupted: 130 } as const

/** A bar appears once a piece of work has taken this long. */
const patience = 800

/**
 * Where a command speaks: sentences for a person, or one JSON object a line for a program. Bars are drawn on the error stream, and
 * only on a terminal, so that standard output can be piped.
 */
export class Output {
  readonly json: boolean
  #bar: Bar | null = null

  constructor(json: boolean) {
    this.json = json
  }

  /** A line for people. */
  line(text = ''): void {
    this.endBar()
    if (!this.json) process.stdout.write(`${text}\n`)
  }

  /** An object for programs. */
  event(event: object): void {
    if (this.json) process.stdout.write(`${JSON.stringify(event)}\n`)
  }

  /** A warning: for people on the error stream, since it is no result. */
  warn(text: string): void {
    this.endBar()
    if (!this.json) process.stderr.write(`${text}\n`)
  }

  /** Shows how far a piece of work is. The same label goes on with the same bar. */
  progress(label: string, done: number, total: number, note = ''): void {
    if (this.json) return
    if (this.#bar?.label !== label) {
      this.endBar()
      this.#bar = new Bar(label, total)
    }
    this.#bar.update(done, note)
    if (done >= total) this.endBar()
  }

  /** Takes the bar away. */
  endBar(): void {
    this.#bar?.stop()
    this.#bar = null
  }

  /** Passes on an event of training, with a bar for what takes time. */
  training(event: TrainEvent, epochs: number): void {
    if (event.type !== 'step') this.event(event)
    if (event.type === 'read') this.progress(`reading ${event.split} pictures`, event.done, event.total)
    else if (event.type === 'compile') this.progress('compiling kernels', event.done, event.total)
    else if (event.type === 'skipped') this.warn(`skipped ${event.reason}`)
    else if (event.type === 'step') {
      const width = String(epochs).length
      this.progress(
        `epoch ${String(event.epoch).padStart(width)}`,
        event.step,
        event.steps,
        `loss ${event.loss.toFixed(4)}, accuracy ${percent(event.accuracy)}`,
      )
    } else if (event.type === 'epoch') {
      const width = String(epochs).length
      this.line(
        `epoch ${String(event.epoch).padStart(width)}/${epochs}   loss ${event.trainLoss.toFixed(4)}  accuracy ${percent(event.trainAccuracy)}   ` +
          `validation loss ${event.valLoss.toFixed(4)}  accuracy ${percent(event.valAccuracy)}   ${event.seconds.toFixed(1)} s`,
      )
    }
  }
}

class Bar {
  readonly label: string
  readonly #total: number
  readonly #begun = Date.now()
  #bar: SingleBar | null = null

  constructor(label: string, total: number) {
    this.label = label
    this.#total = total
  }

  update(done: number, note: string): void {
    if (!process.stderr.isTTY || Date.now() - this.#begun < patience) return
    if (!this.#bar) {
      const options: Options = {
        format: `${this.label} [{bar}] {value}/{total}  {eta_formatted} left  {note}`,
        hideCursor: true,
        clearOnComplete: true,
        barsize: 24,
        stream: process.stderr,
        etaBuffer: 50,
      }
      this.#bar = new SingleBar(options, Presets.legacy)
      this.#bar.start(this.#total, done, { note })
    }
    this.#bar.update(done, { note })
  }

  stop(): void {
    this.#bar?.stop()
  }
}

/** 0.875 as ' 87.5 %'. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1).padStart(5)} %`
}

/** Columns of text, aligned; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[], indent = '  '): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, String(cell).length)
  return rows.map((row) =>
    `${indent}${row.map((cell, i) => (typeof cell === 'number' ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ')}`.trimEnd(),
  )
}

/**
 * Reports an error the way every command does: one line for a mistake or a failure that Graft knows, a stack only for a bug.
 * @returns the exit code
 */
export function reportError(error: unknown, json: boolean): number {
  const known = error instanceof GraftError
  const message = error instanceof Error ? error.message : String(error)
  const code = known ? error.code : 'unexpected'
  if (json) process.stdout.write(`${JSON.stringify({ type: 'error', code, message })}\n`)
  process.stderr.write(`graft: ${known ? message : `unexpected error, a bug in Graft or in what it runs on: ${message}`}\n`)
  if (process.env.GRAFT_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  else if (!known) process.stderr.write('graft: GRAFT_DEBUG=1 shows where it happened\n')
  return code === 'usage' ? exitCodes.usage : exitCodes.failure
}
