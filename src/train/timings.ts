import type { TrainEvent } from './events.ts'

/** The phases that a run's time is divided into. */
export type Phase = 'choosing' | 'reading' | 'compiling' | 'training' | 'validating'

/** Seconds of each phase. */
export type Timings = Readonly<Record<Phase, number>>

/** The phase that an event ends. Other events end none. */
const phaseOf: Partial<Record<TrainEvent['type'], Phase>> = {
  read: 'reading',
  compile: 'compiling',
  step: 'training',
  epoch: 'validating',
}

/** Measures from a training's events how long each phase takes: each event ends a phase. */
export class Stopwatch {
  readonly #seconds: Record<Phase, number>
  #last = performance.now()

  /** @param before the seconds of earlier sessions of the same run */
  constructor(before: Partial<Timings> = {}) {
    this.#seconds = { choosing: 0, reading: 0, compiling: 0, training: 0, validating: 0, ...before }
  }

  /** Starts the clock here: the time before counts for no phase. */
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
