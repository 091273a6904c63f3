import type { TrainEvent } from './events.ts'

/** What a run spends its time on. */
export const phases = ['choosing', 'reading', 'compiling', 'training', 'validating'] as const
export type Phase = (typeof phases)[number]

/** Seconds of each phase. */
export type Timings = Readonly<Record<Phase, number>>

/**
 * What the time before an event was spent on; of events that are not named here nothing took time.
 */
const phaseOf: Partial<Record<TrainEvent['type'], Phase>> = {
  read: 'reading',
  compile: 'compiling',
  step: 'training',
  epoch: 'validating',
}

/**
 * Tells from its events what a training spends its time on: the time up to an event belongs to what
 * the event is the end of.
 */
export class Stopwatch {
  readonly #seconds: Record<Phase, number>
  #last = performance.now()

  /** @param before what earlier sessions of the same run took */
  constructor(before: Partial<Timings> = {}) {
    this.#seconds = { choosing: 0, reading: 0, compiling: 0, training: 0, validating: 0, ...before }
  }

  /** Begins here: what went before belongs to nothing. */
  start(): void {
    this.#last = performance.now()
  }

  note(event: TrainEvent): void {
    const phase = phaseOf[event.type]
    if (phase) this.end(phase)
  }

  /** Counts the time since the last event as spent on a phase. */
  end(phase: Phase): void {
    const now = performance.now()
    this.#seconds[phase] += (now - this.#last) / 1000
    this.#last = now
  }

  get timings(): Timings {
    return { ...this.#seconds }
  }

  /** Seconds of all phases together. */
  get total(): number {
    return Object.values(this.#seconds).reduce((a, b) => a + b, 0)
  }
}
