import { at } from '../base/at.ts'
import { counted, layersOf, percent } from '../base/format.ts'
import { jsonLine } from '../base/jsonLine.ts'
import { printable } from '../base/printable.ts'
import type { Agenda, EpochResult, TrainEvent } from '../train/events.ts'
import {
  type After,
  beginPart,
  notePart,
  noteTime,
  partLeft,
  type Seen,
  type Timing,
  timeLeft,
  timeLeftText,
} from '../train/timeLeft.ts'
import { exitCodes } from './errors.ts'
import { labeled, labeledCommand, sentence } from './lines.ts'
import { Progress, type Standing } from './progress.ts'

/** Milliseconds between two 'read' events. */
const readEvery = 200

/** So many epochs mean that the time is the limit. */
const unlimited = 100_000

/** Set once standard output takes no more: nothing is written to it afterwards. */
let stdoutLost = false

/**
 * Standard output and the error stream may fail at any time, and neither ends a command with a
 * stack trace. `graft … | head` is not an error: `onClosed` is called when the reader has gone.
 * After any other failure, such as a full disk, the work goes on, and the exit code says it.
 */
export function watchStreams(onClosed: () => void): void {
  // What nobody can read costs no training.
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (stdoutLost) return
    stdoutLost = true
    if (error.code === 'EPIPE') {
      onClosed()
      return
    }
    process.exitCode = exitCodes.failure
    process.stderr.write(
      `graft: standard output takes no more (${error.message}): the work goes on without it\n`,
    )
  })
}

/**
 * What a command prints: sentences for a person, or one JSON object a line for a program. Progress
 * bars are drawn on a terminal only, so that piped output consists of lines. Names of classes and
 * files are text of others: whatever is printed for people is made printable here, so that no
 * command can forget it. In JSON they are data, as they are.
 */
export class Output {
  readonly json: boolean
  readonly #bars: boolean
  #progress: Progress | null = null
  /** The work that a bar with its own count shows, and what it is doing. */
  #part = beginPart(1, 0)
  #note = ''
  #timing: Timing | null = null
  /** When the trainings of this command began, how far their bar is, and whether more follow. */
  #whole: { readonly began: number; share: number; goesOn: boolean } | null = null
  #readAt = Number.NEGATIVE_INFINITY
  /** Seconds an image in a probe, and what the last training has seen. */
  #probed: number | null = null
  #seen: Seen | null = null

  constructor(json = false) {
    this.json = json
    this.#bars = !json && process.stdout.isTTY === true && process.stderr.isTTY === true
  }

  /** A line for people. */
  line(text = ''): void {
    if (!this.json) this.#write(process.stdout, printable(text))
  }

  lines(texts: readonly string[]): void {
    for (const text of texts) this.line(text)
  }

  /** A label and its text, broken into lines. */
  labeled(label: string, text: string): void {
    this.lines(labeled(label, text))
  }

  /** A sentence without a label, broken into lines. */
  sentence(text: string): void {
    this.lines(sentence(text))
  }

  /** A label and a command to type. */
  command(label: string, command: string): void {
    this.line(labeledCommand(label, command))
  }

  /** A line of data for programs, as it is; on a terminal, printable. */
  data(line: string): void {
    this.#write(process.stdout, process.stdout.isTTY === true ? printable(line) : line)
  }

  /** An object for programs. */
  event(event: object): void {
    if (this.json) this.#write(process.stdout, jsonLine(event))
  }

  /** A remark, for people, on the error stream. */
  warn(text: string): void {
    if (!this.json) this.complain(text)
  }

  /** What went wrong with a part of the work, on the error stream, also beside JSON. */
  complain(text: string): void {
    this.#write(process.stderr, `graft: ${printable(text)}`)
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    this.#progress?.hide()
    if (stream !== process.stdout || !stdoutLost) stream.write(`${text}\n`)
    this.#progress?.show()
  }

  /** Shows the progress of some work; a label keeps its bar. */
  progress(label: string, done: number, total: number, note = ''): void {
    if (!this.#bars) return
    // What is done is not shown below the lines that follow.
    if (done >= total) {
      this.endProgress()
      return
    }
    const now = performance.now() / 1000
    if (this.#progress?.label !== label) {
      this.#part = beginPart(total, now)
      this.#show(label, () => this.#standingOfPart())
    } else if (this.#part.total !== total) this.#part = beginPart(total, now, done)
    this.#part = notePart(this.#part, done, now)
    this.#note = printable(note)
  }

  #standingOfPart(): Standing {
    const part = this.#part
    const done = part.last?.done ?? part.doneBefore
    const seconds = partLeft(part, performance.now() / 1000)
    const left = timeLeftText(seconds === null ? null : { seconds })
    return { share: done / part.total, note: this.#note, left }
  }

  /** Draws a bar in place of another one. */
  #show(label: string, standing: () => Standing): void {
    this.#progress?.end()
    this.#progress = null
    if (this.#bars) this.#progress = new Progress(label, standing)
  }

  /** Removes the bar. To be called after every `progress`, also after an error. */
  endProgress(): void {
    this.#progress?.end()
    this.#progress = null
    this.#timing = null
  }

  /**
   * Prints an event of fit or evaluate, with a progress bar for what takes time: one from the first
   * to the last epoch. The caller prints the line of each epoch.
   * @param more further properties of the JSON event
   * @param after the trainings that follow this one
   */
  training(event: TrainEvent, more: object = {}, after: readonly After[] = []): void {
    const now = performance.now() / 1000
    this.#timing = noteTime(this.#timing, event, now, this.#seenBefore(event))
    this.#seen = this.#timing?.seen ?? this.#seen
    if (event.type === 'agenda') this.#beginTraining(now, after)
    if (
      event.type === 'read' &&
      event.done < event.total &&
      1000 * (now - this.#readAt) < readEvery
    )
      return
    if (event.type === 'read') this.#readAt = now
    if (this.#timing) this.#note = noteOf(event, this.#timing.agenda) ?? this.#note
    else this.#work(event)
    if (event.type === 'cached')
      this.labeled(
        'cached',
        `${event.count} of ${event.total} ${event.split} images: ` +
          'the outputs of the frozen layers are known from an earlier run',
      )
    else if (event.type === 'remark') this.warn(event.message)
    else if (event.type === 'skipped') this.warn(`skipped ${event.reason}`)
    else if (event.type === 'stage')
      this.labeled('  trained', `from epoch ${event.epoch} on: ${layersOf(event.trained)}`)
    else if (event.type === 'recovered') {
      const lost = event.repeated ? `, ${counted(event.repeated, 'step')} again` : ''
      this.warn(
        `the GPU device was lost (${event.reason}): another one continues ` +
          `in epoch ${event.epoch} after step ${event.step}${lost}`,
      )
    }
    this.event({ ...event, ...more })
  }

  /** Says how many seconds an image takes through the network, where a probe has measured it. */
  probed(seconds: number | null): void {
    this.#probed = seconds
  }

  #seenBefore(event: TrainEvent): Seen | null {
    if (event.type !== 'agenda' || this.#seen || this.#probed === null) return this.#seen
    const { frozenWork, work } = at(event.stages, 0)
    return { pace: this.#probed, work: frozenWork + work }
  }

  /** Progress outside a training: of evaluate, or of a search for a rate. */
  #work(event: TrainEvent): void {
    if (event.type === 'read' && this.#progress?.label !== 'searching')
      this.progress('reading', event.done, event.total, `${event.done} of ${event.total} images`)
    else if (event.type === 'compile')
      this.progress('compiling', event.done, event.total, 'kernels')
    else if (event.type === 'search')
      this.progress(
        'searching',
        event.step,
        event.steps,
        `rate ${event.lr.toExponential(1)}  loss ${event.loss.toFixed(3)}`,
      )
  }

  /**
   * One bar for all epochs, and for the trainings that follow. Its share is one of the time, and
   * never goes back.
   */
  #beginTraining(now: number, after: readonly After[]): void {
    const whole = this.#whole?.goesOn ? this.#whole : { began: now, share: 0, goesOn: false }
    whole.goesOn = after.length > 0
    this.#whole = whole
    this.#note = ''
    this.#show('training', () => {
      const time = performance.now() / 1000
      const left = timeLeft(this.#timing, time, after)
      const passed = time - whole.began
      if (left !== null) whole.share = Math.max(whole.share, passed / (passed + left.seconds))
      return { share: whole.share, note: this.#note, left: timeLeftText(left) }
    })
  }
}

/** What a training is doing, in words; null where an event does not tell. */
function noteOf(event: TrainEvent, { epochs }: Agenda): string | null {
  const of = epochs < unlimited ? `/${epochs}` : ''
  switch (event.type) {
    case 'compile':
      return `compiling kernels, ${event.done} of ${event.total}`
    case 'read':
      return `${event.done} of ${event.total} ${event.split} images read`
    case 'step':
      return (
        `epoch ${event.epoch}${of}  loss ${event.loss.toFixed(3)}  ` +
        `acc ${percent(event.accuracy)}`
      )
    case 'validate':
      return `epoch ${event.epoch}${of}  validating ${event.done} of ${event.total}`
    default:
      return null
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

/** A loss in at most eight columns, also a very large one. */
function lossText(loss: number): string {
  return loss < 1000 ? loss.toFixed(4) : loss.toExponential(2)
}
